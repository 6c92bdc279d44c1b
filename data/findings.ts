import { type Disease, family } from "./facts.ts"
import { related, words } from "./text.ts"

/** A finding that denies or qualifies says too little to be asked for. */
const vague =
  /^(no|normal|preserved|spared|onset|rare|variable|relief|favorable|silent|clear|near|long survival|life span)\b/

/** Too common over all diseases to be wrong with certainty for one of them; never right either, lest that tells. */
const common = new RegExp(
  "delay|retard|regress|failure to thrive|weight gain|growth|stunt|short stature|small stature|short-limbed|intellect|" +
    "disabilit|dement|cognit|seizure|convuls|epilep|weakness|hypotoni|floppy|fatigue|vomit|feeding|ataxia|hearing|deaf|" +
    "dysmorph|coarse|forehead|facial asym|small jaw|low-set|enlarge|megaly|recurrent infec|retinopathy|retinal degen|" +
    "cardiomyopathy|nystagmus|strabismus|ptosis|drooping|scoliosis|osteoporosis|callos|cerebellar|atrophy|contracture|" +
    "aminoaciduria|acidosis|hypothyroid|cataract|hernia|barrel|anxi|neuropathy|hypertension|proteinuria|kidney failure"
)

/** Words for one matter; two findings on the same matter cannot be told right and wrong. */
const matters: ReadonlyArray<RegExp> = [
  /^(spasm|myoclon|jerk|fit|attack|burst|electroenceph)/,
  /^(blind|visio|visual|sight|eye|macul|retin|fund|optic|disc)/,
  /^(cornea|keratit|keratoc)/,
  /^(catarac|lens|lentic|opacit)/,
  /^(kidney|renal|nephr|prote|glomerul|tubul|hematur|urin|stone|urolith)/,
  /^(liver|hepat|cirrho|jaund|cholest|transamin|gallst|ferritin|iron|transferrin|siderosis)/,
  /^(heart|cardi|ventric|atri|arrhyth|aort|mitral|valv)/,
  /^(gait|unsteady|walk|waddl|cerebell|titubat|imbal|stagger|tiptoe|falls)/,
  /^(weak|wast|atroph|amyotr|myopath|muscle|muscul|cramp|creatine)/,
  /^(mental|speech|language|psych|milestone|learn|school|behav|autis|hyperact)/,
  /^(bone|bony|fractur|osteo|rickets|skelet)/,
  /^(spast|stiff|rigid|parapar|parapl|pyramid|quadri|dipleg)/,
  /^(anemi|hemoly|red|erythro|pallor)/,
  /^(bleed|bruis|hemorr|nosebl|platelet|petech|purpur|epistax)/,
  /^(diarrh|steatorr|malabs|stool|bowel|colon)/,
  /^(hair|alopec|bald|lash|eyelash)/,
  /^(tooth|teeth|dent|enamel|incis|premol)/,
  /^(head|macroceph|microceph|skull|fontan|brow|forehead)/,
  /^(infec|seps|pneumo|abscess|candid|neutro|lymph|immuno)/,
  /^(glucose|diabet|insulin|hypogly|hypergly|keto)/,
  /^(ammon|acid|acidosis|lact)/,
  /^(dyston|chorea|dyskin|tremor|parkins|involun|ocul)/,
  /^(neuropath|sensory|nerve|reflex|areflex|pain|painful|painless)/,
  /^(finger|toe|thumb|digit|hand|palm|sole|foot|feet|knuckle|polydact|syndact|clinodact|camptodact)/,
  /^(joint|contract|arthr|clubf|disloc|laxity|loose|knee|hip)/,
  /^(spin|scolio|kypho|verteb|trunk|lordos|odontoid)/,
  /^(palate|lip|cleft|jaw|mandib|micrognath|tongue|uvula|mouth|gum|oral)/,
  /^(genital|hypogonad|cryptorch|test|undesc|hypospad|pubert|ovar|fertil|virili|micropen|uter)/,
  /^(cancer|carcin|tumor|sarcom|lymphom|leukem|adenom|neurom|gliom|astrocyt|schwann|melanom|fibro)/,
  /^(skin|rash|derm|eczem|blister|kerato|ichthy|scal|pigment|freckl|lentig|macule|papul)/,
  /^(lung|pulm|respir|breath|apnea|ventil|hypovent)/,
  /^(thromb|clot|stroke|ischem|vein)/,
  /^(spleen|splen|hepatosplen|organom|abdom)/,
  /^(fever|hyperpyr|heat|sweat)/,
  /^(face|facial|facies|cheek|nose|nasal|ear|ears|chin|coarse)/
]

const mattersOf = (findings: ReadonlyArray<string>): ReadonlySet<number> =>
  new Set(
    findings.flatMap((finding) =>
      words(finding).flatMap((word) => matters.flatMap((matter, i) => matter.test(word) ? [i] : []))
    )
  )

/** Whether a finding may stand among the options, right or wrong. */
export const mayStand = (finding: string): boolean => !vague.test(finding) && !common.test(finding)

/** The findings of `other` that `disease` does not have, nor anything like them. */
export const mayDistract = (other: Disease, disease: Disease): ReadonlyArray<string> => {
  if (other.gene === disease.gene || family(other) === family(disease)) return []
  const taken = mattersOf(disease.findings)
  const own = [disease.name, ...disease.synonyms, ...disease.findings]
  return other.findings.filter((finding) =>
    mayStand(finding) && !own.some((text) => related(text, finding)) &&
    ![...mattersOf([finding])].some((matter) => taken.has(matter))
  )
}
