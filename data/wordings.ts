/**
 * The sentences of the world, ours throughout.
 *
 * `{D}` is the first mention of the disease, `{S}` the disease once more (or for the first time), `{A}` the answer of
 * the facet and `{M}` the mention of a question. The words of a facet's questions are kept apart from the words of
 * its passages: apart from the mention, a question shares no content word with the passage that answers it.
 */

export const facets = ["names", "gene", "location", "inheritance", "findings"] as const

export type Facet = (typeof facets)[number]

export interface Wording {
  /** First sentences that mention the disease and keep the answer back. */
  readonly openings: ReadonlyArray<string>
  /** The sentence that states the answer. */
  readonly facts: ReadonlyArray<string>
  /** Sentences that fit this facet alone. */
  readonly details: ReadonlyArray<string>
  readonly questions: ReadonlyArray<string>
}

/** How a passage calls its disease after the first mention. */
export const subjects = ["this disorder", "the disorder", "this condition", "the condition"] as const

const names: Wording = {
  openings: [
    "{D} appears under several names in the literature.",
    "Authors have not always used the same name for {D}.",
    "The naming of {D} has changed over time.",
    "Readers will meet {D} under different headings.",
    "Different specialties prefer different names for {D}.",
    "Older textbooks may avoid the name {D}."
  ],
  facts: [
    "{S} is also known as {A}.",
    "{S} is also called {A}.",
    "Synonyms of {S} include {A}.",
    "Names in common use for {S} include {A}.",
    "In the literature {S} also appears as {A}.",
    "Authors also write {A} when they mean {S}.",
    "Textbooks also list {S} under {A}.",
    "Databases also store {S} as {A}.",
    "Readers may also know {S} as {A}.",
    "The index of synonyms links {S} with {A}."
  ],
  details: [
    "Historical names often honor the first author.",
    "Abbreviations are common in letters and records.",
    "Search engines may need all of these names.",
    "The preferred name follows an international list.",
    "Spelling differs between countries.",
    "The gene and the signs are listed elsewhere.",
    "A name predicts little about severity.",
    "Certain names describe the chemistry, others honor a physician.",
    "Insurance forms may require the preferred name.",
    "Translation adds further variation.",
    "Card catalogues keep obsolete synonyms."
  ],
  questions: [
    "Which label could replace {M}?",
    "What else do doctors say for {M}?",
    "Under which alias would a doctor file {M}?",
    "Which term is equivalent to {M}?",
    "A doctor speaks of {M}. What second term could stand in its place?",
    "Which expression stands for {M} as well?",
    "What is {M} alternatively termed?",
    "Which wording denotes {M}?",
    "A student hears of {M}. Which label is equivalent?",
    "Which label is given to the identical illness as {M}?",
    "My cousin has {M}. Which equivalent could I look up?",
    "Is there a second label for {M}?",
    "By what alternative label is {M} filed?",
    "Which of these terms refers to {M}?",
    "What would a colleague say in place of {M}?",
    "My uncle speaks of {M}. Which term would his doctor choose?"
  ]
}

const gene: Wording = {
  openings: [
    "Laboratory studies have clarified the origin of {D}.",
    "The molecular basis of {D} is well established.",
    "Much has been learned about the cause of {D}.",
    "{D} has a well studied biological background.",
    "Sequencing has made the diagnosis of {D} more certain.",
    "{D} is a monogenic disorder."
  ],
  facts: [
    "{S} is caused by variants in the {A} gene.",
    "Variants of the {A} gene give rise to {S}.",
    "Mutations that affect {A} produce {S}.",
    "The gene behind {S} is {A}.",
    "In {S}, pathogenic variants are found in {A}.",
    "{S} results from mutations of the {A} gene.",
    "Pathogenic variants of the gene {A} lead to {S}.",
    "Alteration of {A} underlies {S}.",
    "Testing for {S} looks for pathogenic variants in {A}.",
    "{S} arises when the {A} gene carries a pathogenic variant."
  ],
  details: [
    "A blood sample is enough for sequencing.",
    "The product of this gene is under study.",
    "Laboratories report the exact variant to the treating team.",
    "Not every variant has the same effect.",
    "Test results should be confirmed by a second method.",
    "Commercial panels usually include this gene.",
    "The inheritance and the chromosome position are listed elsewhere.",
    "The signs and the synonyms are listed elsewhere.",
    "Laboratories distinguish harmless variants from pathogenic ones.",
    "Functional experiments support the link.",
    "Large deletions escape certain methods."
  ],
  questions: [
    "Which piece of DNA is at fault in {M}?",
    "What stretch of the genome is broken in people with {M}?",
    "Which hereditary factor do doctors blame for {M}?",
    "Which symbol stands for the faulty hereditary unit in {M}?",
    "My child has {M}. Which piece of DNA is not working?",
    "Someone with {M} was born with a mistake in which DNA unit?",
    "What is the culprit at the DNA level in {M}?",
    "Which blueprint of the cell goes wrong in {M}?",
    "A student asks which DNA unit is responsible for {M}.",
    "Trouble with which hereditary unit brings about {M}?",
    "Which of these symbols belongs to {M}?",
    "What went wrong in the DNA of somebody with {M}?",
    "In {M}, which hereditary unit lets the cell down?",
    "Which DNA unit would you screen in a baby with {M}?",
    "We were told that {M} comes from a DNA mistake. Which piece is it?",
    "What do doctors blame at the level of the genome for {M}?"
  ]
}

const location: Wording = {
  openings: [
    "The chromosome map holds a place for {D}.",
    "{D} has been assigned to the human chromosome map.",
    "Mapping work has placed {D} precisely.",
    "The cytogenetic position of {D} is established.",
    "Maps of human chromosomes include {D}.",
    "Linkage and sequencing have settled where {D} lies."
  ],
  facts: [
    "The gene for {S} lies at {A}.",
    "In {S} the responsible gene maps to {A}.",
    "The locus of {S} is {A}.",
    "{S} maps to {A}.",
    "The cytogenetic position for {S} is {A}.",
    "Researchers placed the gene of {S} at {A}.",
    "On the human chromosome map, {S} is found at {A}.",
    "The chromosomal region linked to {S} is {A}.",
    "The gene altered in {S} occupies {A}.",
    "{S} is assigned to {A} on the cytogenetic map."
  ],
  details: [
    "The notation follows international rules.",
    "Microscopes cannot show so small a segment.",
    "Neighboring genes are usually not involved.",
    "Modern maps agree on this region.",
    "The position was refined when the genome was sequenced.",
    "The mutations and the inheritance are listed elsewhere.",
    "The map position alone does not predict the signs.",
    "Databases store this region under a fixed number.",
    "Short and long arms are marked by letters.",
    "Physical distance is measured in millions of bases.",
    "Reference assemblies are revised now and then."
  ],
  questions: [
    "Where in our DNA does {M} sit?",
    "What is the DNA address of {M}?",
    "At which spot of the DNA does the trouble of {M} begin?",
    "Which coordinates would you type to reach the DNA fault of {M}?",
    "Where along the DNA thread is the fault of {M}?",
    "A student wants the DNA address of {M}. What is it?",
    "Which DNA site would a doctor circle for {M}?",
    "Whereabouts is the hereditary fault that brings about {M}?",
    "Which stretch of DNA should be inspected for {M}?",
    "My cousin has {M}. At which DNA address is the mistake?",
    "Under which coordinates does {M} sit in our cells?",
    "To which address of the DNA would you send somebody who looks for {M}?",
    "How do doctors spell the DNA address of {M}?",
    "Where must a probe aim to hit the DNA fault of {M}?",
    "Which stretch of DNA hides the fault of {M}?",
    "Tell me the DNA whereabouts of {M}."
  ]
}

const inheritance: Wording = {
  openings: [
    "Families with {D} often ask about the risk for children.",
    "The inheritance of {D} has been studied in many families.",
    "Counselors explain how {D} is transmitted.",
    "Pedigrees of {D} have been published repeatedly.",
    "Parents of a child with {D} are offered counseling.",
    "{D} is an inherited disorder."
  ],
  facts: [
    "{S} shows {A} inheritance.",
    "{S} is inherited in the {A} manner.",
    "The pattern of inheritance in {S} is {A}.",
    "{S} follows the {A} pattern.",
    "Transmission of {S} is {A}.",
    "Pedigrees of {S} agree with {A} inheritance.",
    "Experts class {S} as {A}.",
    "The {A} pattern applies to {S}.",
    "Inheritance in {S} is of the {A} type.",
    "Counselors explain the {A} inheritance of {S}."
  ],
  details: [
    "The risk for brothers and sisters depends on this pattern.",
    "A family tree is drawn at the first visit.",
    "New mutations can occur without any family history.",
    "Carrier testing may be discussed with the parents.",
    "Prenatal diagnosis deserves time and care.",
    "The gene and its chromosome position are listed elsewhere.",
    "Severity can differ within one family.",
    "The signs and the synonyms are listed elsewhere.",
    "The sex of the child may or may not matter.",
    "Grandparents are usually not tested.",
    "A pedigree covers at least three levels."
  ],
  questions: [
    "How does {M} travel down from one generation to the next?",
    "In what way do relatives hand {M} on?",
    "What kind of heredity is behind {M}?",
    "Which rule of heredity does {M} obey?",
    "My uncle has {M}. How do relatives hand it down?",
    "Which mode of genetic passage holds for {M}?",
    "How does {M} run among relatives?",
    "How is the DNA fault of {M} passed to offspring?",
    "Which law of heredity governs {M}?",
    "Is there a rule for how {M} passes from mother or father to offspring?",
    "A student charts the relatives of somebody with {M}. Which heredity is it?",
    "Which mode of heredity do doctors expect in {M}?",
    "Could my sons and daughters get {M} from me, and by which rule?",
    "Which ancestors hand {M} on, and how?",
    "By which route does {M} reach the next generation?",
    "My aunt and my cousin have {M}. Which kind of heredity is at work?"
  ]
}

const findings: Wording = {
  openings: [
    "Clinicians recognize {D} by a group of features.",
    "The clinical features of {D} form a recognizable whole.",
    "{D} shows itself in several ways.",
    "Examination often suggests {D}.",
    "The presentation of {D} has been described in detail.",
    "Textbooks list the main signs of {D}."
  ],
  facts: [
    "Typical signs of {S} are {A}.",
    "Patients with {S} show {A}.",
    "{S} presents with {A}.",
    "The main features of {S} include {A}.",
    "Characteristic findings in {S} are {A}.",
    "The clinical features of {S} comprise {A}.",
    "Examination in {S} reveals {A}.",
    "Common manifestations of {S} are {A}.",
    "{S} is marked by {A}.",
    "Signs that suggest {S} include {A}."
  ],
  details: [
    "Not all features need to be present.",
    "Symptoms may begin at different ages.",
    "Imaging and laboratory tests complete the examination.",
    "Subtle signs are easily overlooked.",
    "The gene and the inheritance are listed elsewhere.",
    "Severity varies even within one family.",
    "Other disorders with similar features must be considered.",
    "A careful examination by a specialist is useful.",
    "Photographs and growth curves support the diagnosis.",
    "Onset and severity are hard to predict.",
    "Physicians compare the features with published cases."
  ],
  questions: [
    "What would a doctor expect to notice in {M}?",
    "Which complaint fits {M}?",
    "Which problem goes hand in hand with {M}?",
    "My child has {M}. What trouble should we watch for?",
    "What clue makes a doctor think of {M}?",
    "Which bodily trouble is a hallmark of {M}?",
    "A student wonders how {M} looks. Which clue is right?",
    "What do people with {M} suffer from?",
    "Which of these troubles comes with {M}?",
    "What does {M} do to the body?",
    "Which hint betrays {M}?",
    "Which problem brings people with {M} to the doctor?",
    "What bothers people who live with {M}?",
    "Which bodily oddity gives {M} away?",
    "We were told of {M}. What may happen to the body?",
    "At the bedside, which clue speaks for {M}?"
  ]
}

export const wordings: Readonly<Record<Facet, Wording>> = { names, gene, location, inheritance, findings }
