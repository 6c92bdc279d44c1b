/** Written answers of all kinds, in sentences of our own, each with the option that a reader of the field takes it for. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { freeAnswer, optionOf } from "../../../src/domain/answers/chosenOption.ts"
import { spoken } from "../../../src/domain/answers/reasoning.ts"

type Cases = ReadonlyArray<readonly [text: string, at: number]>

const check = (options: ReadonlyArray<string>, cases: Cases, answers?: "letter" | "text") => {
  for (const [text, at] of cases) {
    it(`${JSON.stringify(text)} is ${at < 0 ? "none" : options[at]}`, () =>
      assert.strictEqual(optionOf(text, options, answers), at))
  }
}

const genes = ["GBA1", "GLA", "HEXA", "alpha galactosidase A"]
describe("genes", () =>
  check(genes, [
    ["B", 1],
    [" B.", 1],
    ["b", 1],
    ["(b)", 1],
    ["b)", 1],
    ["(C) because the eye is red", 2],
    ["**D**", 3],
    ["HEXA", 2],
    ["hexa.", 2],
    ["It is HEXA, not GLA.", 2],
    ["It is not GLA but HEXA.", 2],
    ["The gene is GLA", 1],
    ["The answer is B", 1],
    ["Let us see. A red spot points to the enzyme. Correct Answer: C", 2],
    ["Answer: (D)\nQuestion: which", 3],
    ["Answer: (D)\n\nQuestion: which enzyme?\nAnswer: B", 3],
    ["B\nMy Question:\nWhat is deficient?\nAnswer: C", 1],
    ["The correct option is C.", 2],
    ["A gene called HEXA", 2],
    ["The answer is a gene", -1],
    ["The answer is A gene", -1],
    ["A red spot", -1],
    ["A red spot is seen.", -1],
    ["I choose (B)", 1],
    ["I think so", -1],
    ["Perhaps B) or so", 1],
    ["alpha-galactosidase A", 3],
    ["Alpha galactosidase A.", 3],
    ["The enzyme is alpha-galactosidase A", 3],
    ["Answer: F", -1],
    ["Z", -1],
    ["GLAD", -1],
    ["GLA2", -1],
    ["none of these", -1],
    ["", -1],
    ["   \n ", -1],
    ["HEXA. GLA is the gene of Fabry disease.", 2],
    ["HEXA and GLA are both lysosomal.", -1],
    ["The answer is GLA or HEXA.", -1],
    ["HEXA, because a cherry-red spot without a large liver is not seen in GBA1 disease.", 2],
    ["Unlike GBA1, HEXA is expressed in neurons.", 2],
    ["It cannot be GLA. It could be HEXA.", 2]
  ]))

const drugs = ["Aspirin", "Heparin", "Warfarin", "Alteplase"]
describe("statements", () =>
  check(drugs, [
    ["Answer: B", 1],
    ["answer: b", 1],
    ["ANSWER: B", 1],
    ["Answer:B", 1],
    ["Answer : B", 1],
    ["Answer - (B)", 1],
    ["Answer is B", 1],
    ["Answer: (B)", 1],
    ["Answer: [B]", 1],
    ["Answer: B)", 1],
    ["Answer: B.", 1],
    ["Answer: B. Heparin", 1],
    ["Answer: B) Heparin", 1],
    ["Answer: (B) Heparin", 1],
    ["Answer: B Heparin", 1],
    ["Answer: B - Heparin", 1],
    ["Answer: B: Heparin", 1],
    ["Answer: B, Heparin", 1],
    ["Answer: Heparin", 1],
    ["Answer: heparin.", 1],
    ["Answer: Heparin (B)", 1],
    ["Answer:\nB", 1],
    ["Answer:\n\nHeparin", 1],
    ["Answer: Option B", 1],
    ["Answer: option (B)", 1],
    ["Answer: $B$", 1],
    ["Answer: **B**", 1],
    ["**Answer:** B", 1],
    ["**Answer: B**", 1],
    ["**Answer**: B", 1],
    ["__Answer__: `B`", 1],
    ["### Answer: B", 1],
    ["> Answer: B", 1],
    ["Final Answer: B", 1],
    ["Final answer:\n\n**B. Heparin**", 1],
    ["Correct answer: B", 1],
    ["Correct Answer: B. It acts at once.", 1],
    ["My answer: B", 1],
    ["The answer is (B).", 1],
    ["The answer is **B**.", 1],
    ["The answer is: B", 1],
    ["The answer is \"B\".", 1],
    ["The answer is 'B'", 1],
    ["The answer is “B”.", 1],
    ["The answer is option B.", 1],
    ["The answer is the letter B.", 1],
    ["The answer is heparin.", 1],
    ["The answer is the heparin", 1],
    ["The answer is therefore B.", 1],
    ["The answer is most likely B.", 1],
    ["The answer is clearly heparin.", 1],
    ["The answer is B because it acts at once.", 1],
    ["The answer is b because it acts at once.", -1],
    ["The answer is b.", 1],
    ["The answer is a.", 0],
    ["The answer is a drug that acts at once.", -1],
    ["The answer is A.", 0],
    ["The answer is A because it is cheap.", 0],
    ["The answer is A, aspirin.", 0],
    ["The answer would be B.", 1],
    ["The answer should be (B).", 1],
    ["The answer must be B", 1],
    ["The answer has to be B", 1],
    ["The best answer is B.", 1],
    ["The most appropriate answer is B.", 1],
    ["The correct answer is B.", 1],
    ["The correct answer is:\nB. Heparin", 1],
    ["The correct choice is B", 1],
    ["The right option is (B).", 1],
    ["The answer to the question is B.", 1],
    ["The answer to this multiple-choice question is (B).", 1],
    ["The answer for this patient is heparin.", 1],
    ["So the answer is B.", 1],
    ["Thus, the final answer is B.", 1],
    ["Option: B", 1],
    ["Choice: B", 1],
    ["The choice is B.", 1],
    ["Response: B", 1],
    ["Answer → B", 1],
    ["Answer => B", 1],
    ["Answer = B", 1],
    ["I choose B.", 1],
    ["I would choose option B.", 1],
    ["I'd pick (B).", 1],
    ["I select heparin.", 1],
    ["I would go with B.", 1],
    ["I am going with B, heparin.", 1],
    ["I opt for heparin.", 1],
    ["We settle on B.", 1],
    ["Option B is correct.", 1],
    ["Option B is the correct answer.", 1],
    ["(B) is the correct answer.", 1],
    ["B is correct.", 1],
    ["B is the best choice.", 1],
    ["B is the answer", 1],
    ["A is correct.", 0],
    ["Heparin is the best choice here, not aspirin.", 1],
    ["Heparin is the correct answer, whereas aspirin acts slowly.", 1],
    ["Heparin would be the most appropriate next step; warfarin takes days.", 1],
    ["Choice (B) is right.", 1],
    ["答案是B", 1],
    ["答案：B", 1],
    ["正确答案为 (B)。", 1],
    ["因此选项 B 是正确的。答案: B", 1],
    ["故选B。", 1],
    ["Die Antwort ist B.", 1],
    ["Antwort: B", 1],
    ["La respuesta correcta es B.", -1],
    ["La respuesta es B.", 1],
    ["Respuesta: B", 1],
    ["Réponse : B", 1],
    ["La réponse est B.", 1],
    ["La risposta è B.", 1],
    ["Ответ: B", 1],
    ["Answer：Ｂ", 1],
    ["\u200bAnswer: B\u200b", 1]
  ]))

describe("by itself", () =>
  check(drugs, [
    ["B", 1],
    ["B\n", 1],
    ["B.", 1],
    ["B)", 1],
    ["(B)", 1],
    ["[B]", 1],
    ["<B>", 1],
    ["{B}", 1],
    ["\"B\"", 1],
    ["'B'", 1],
    ["`B`", 1],
    ["**B**", 1],
    ["**(B)**", 1],
    ["$B$", 1],
    ["- B", 1],
    ["# B", 1],
    ["B!", 1],
    ["B;", 1],
    ["Option B", 1],
    ["option b", 1],
    ["Choice B.", 1],
    ["B. Heparin", 1],
    ["B) heparin", 1],
    ["(B) Heparin.", 1],
    ["B: Heparin", 1],
    ["B - Heparin", 1],
    ["B Heparin", 1],
    ["Option B: Heparin", 1],
    ["**B. Heparin**", 1],
    ["**B.** Heparin", 1],
    ["Heparin", 1],
    ["HEPARIN", 1],
    ["Héparin", 1],
    ["Heparin (B)", 1],
    ["Heparin.", 1],
    ["the heparin", 1],
    ["B. Aspirin", 1],
    ["Aspirin (B)", 1],
    ["B\n\nHeparin acts at once; aspirin and warfarin do not.", 1],
    ["Heparin\n\nAspirin acts slowly, and warfarin takes days.", 1],
    ["B. Heparin\nExplanation: aspirin is slow.", 1],
    ["Aspirin is slow, and warfarin takes days.\n\nB", 1],
    ["Aspirin is slow, and warfarin takes days.\n\n**B. Heparin**", 1],
    ["A. Aspirin\nB. Heparin\nC. Warfarin\nD. Alteplase", -1],
    ["Options: A. Aspirin B. Heparin C. Warfarin D. Alteplase", -1],
    ["Answer choices: A. Aspirin B. Heparin", -1],
    ["A. Aspirin\nB. Heparin\n\nTherefore, B.", 1],
    ["A, B", -1],
    ["A and B", -1],
    ["B/C", -1],
    ["A or B", -1],
    ["Aspirin, heparin", -1],
    ["AB", -1],
    ["BB", -1],
    ["B2", -1],
    ["B-cell lymphoma", -1],
    ["B's", -1],
    ["Ba", -1]
  ]))

describe("several of them", () =>
  check(drugs, [
    ["The answer is A. Wait, aspirin is slow. The answer is B.", 1],
    ["Answer: A\n\nOn second thought, Answer: B", 1],
    ["At first the answer seems to be A, but the correct answer is B.", 1],
    ["The answer is A or B.", -1],
    ["The answer is A and B.", -1],
    ["The answer is both A and B", -1],
    ["The answer is A/B.", -1],
    ["Answer: A, B", -1],
    ["Answer: A, B and C", -1],
    ["Answer: B, A is slow.", 1],
    ["Answer: B and that is it.", 1],
    ["The answer is aspirin or heparin.", -1],
    ["The answer is heparin, not aspirin.", 1],
    ["Answer: B. The other options, A and C, are slow.", 1],
    ["Aspirin or heparin?", -1],
    ["Aspirin and heparin are both used.", -1],
    ["Option A is slow. Option B acts at once.", -1],
    ["Option A is slow. Option B acts at once. So the answer is B.", 1],
    ["(A) is slow. (B) acts at once. Therefore (B).", 1],
    ["(A) is slow. (B) acts at once. Hence, heparin.", 1],
    ["Aspirin is slow. Warfarin takes days. So heparin is given.", 1],
    ["Aspirin is slow, warfarin takes days. In conclusion, heparin should be given rather than alteplase.", 1],
    ["Overall, heparin is due.", 1],
    ["Thus B", 1],
    ["Hence (B) it is", 1],
    ["Therefore, is it heparin?", -1],
    ["So is it aspirin or heparin?", -1]
  ]))

describe("what is denied, doubted or asked", () =>
  check(drugs, [
    ["not A", -1],
    ["Not B.", -1],
    ["The answer is not A.", -1],
    ["The answer is not A but B.", -1],
    ["The answer is not aspirin. It is heparin.", 1],
    ["The answer isn't A.", -1],
    ["The answer cannot be A", -1],
    ["A is not the answer.", -1],
    ["A is incorrect.", -1],
    ["Option A is incorrect.", -1],
    ["Option A is wrong. Option B remains.", 1],
    ["(A) is ruled out. (B)", 1],
    ["Aspirin is ruled out.", -1],
    ["Aspirin can be excluded, so heparin is due.", 1],
    ["It is heparin rather than aspirin.", 1],
    ["Heparin instead of warfarin.", 1],
    ["Heparin acts faster than warfarin.", 1],
    ["Without aspirin, heparin.", 1],
    ["If the answer is A, the bleeding would be worse. The answer is B.", 1],
    ["If the answer is A, the bleeding would be worse.", -1],
    ["I wonder whether the answer is A.", -1],
    ["Is the answer A? No, the answer is B.", 1],
    ["Is the answer A?", -1],
    ["The answer could be A. The answer is B.", 1],
    ["I would not choose A. I choose B.", 1],
    ["I do not think the answer is A.", -1],
    ["I can't choose A; B is correct.", 1],
    ["I am not sure, but the answer is B.", 1],
    ["It is not hard to see that the answer is B.", 1],
    ["Heparin is not the best choice. Alteplase is the best choice.", 3],
    ["Neither aspirin nor warfarin; heparin.", 1],
    ["Unlike warfarin, heparin acts at once.", 1],
    ["We rule out warfarin and give heparin.", 1],
    ["Eliminating warfarin, heparin remains.", 1]
  ]))

describe("thought aloud before", () =>
  check(drugs, [
    ["<think>Option A comes to mind. The answer is A.</think>\n\nThe answer is B.", 1],
    ["<think>\n</think>\n\nB", 1],
    ["<think>The answer is A.</think>B", 1],
    ["The answer may be A, let me see.</think>\nB", 1],
    ["<think>The answer is A.", -1],
    ["<think>The answer is A. <think>Or B.", -1],
    ["<think>A</think>C<think>B?</think>", 2],
    ["<THINK>The answer is A.</THINK> The answer is B.", 1],
    ["<thinking>The answer is A.</thinking> The answer is B.", 1],
    ["<thought>The answer is A.</thought> The answer is B.", 1],
    ["<reasoning>The answer is A.</reasoning><answer>B</answer>", 1],
    ["<reason>The answer is A.</reason> B", 1],
    ["<reflection>A?</reflection> B", 1],
    ["<scratchpad>A</scratchpad>B", 1],
    ["<analysis>A</analysis>B", 1],
    ["<seed:think>A</seed:think>B", 1],
    ["[THINK]The answer is A.[/THINK]B", 1],
    ["◁think▷The answer is A.◁/think▷B", 1],
    ["<|begin_of_thought|>A<|end_of_thought|> The answer is B.", 1],
    ["<|START_THINKING|>A<|END_THINKING|>B", 1],
    ["<unused94>thought\nThe answer is A.<unused95>The answer is B.", 1],
    [
      "<|channel|>analysis<|message|>The answer is A.<|end|><|start|>assistant<|channel|>final<|message|>Answer: B<|return|>",
      1
    ],
    ["<|channel|>analysis<|message|>The answer is A.", -1],
    ["analysisThe answer is A.assistantfinalAnswer: B", 1],
    ["analysisThe answer is A.", -1],
    ["Analysis of the case: the answer is B.", 1],
    ["## Thinking\n\nThe answer is A.\n\n## Final Response\n\nThe answer is B.", 1],
    ["## Thinking\n\nThe answer is A.", -1],
    ["I think the answer is B.", 1],
    ["<b>The answer is B.</b>", 1]
  ]))

describe("forms for machines", () =>
  check(drugs, [
    ["\\boxed{B}", 1],
    ["$\\boxed{B}$", 1],
    ["\\(\\boxed{B}\\)", 1],
    ["\\[ \\boxed{B} \\]", 1],
    ["\\boxed{\\text{B}}", 1],
    ["\\boxed{\\textbf{B}}", 1],
    ["\\boxed{\\mathrm{B}}", 1],
    ["\\boxed{(B)}", 1],
    ["\\boxed{B.}", 1],
    ["\\boxed{B. Heparin}", 1],
    ["\\boxed{\\text{B. Heparin}}", 1],
    ["\\boxed{\\text{Heparin}}", 1],
    ["\\boxed{Heparin}", 1],
    ["\\boxed{\\text{Option B}}", 1],
    ["\\boxed{The answer is B}", 1],
    ["\\fbox{B}", 1],
    ["\\boxed B", 1],
    ["\\boxed{B", 1],
    ["\\boxed{A}. No: \\boxed{B}", 1],
    ["\\boxed{B}. The dose is \\boxed{5}.", 1],
    ["The answer is A, or rather \\boxed{B}.", 1],
    ["\\boxed{B} since the answer is not A", 1],
    ["\\boxed{\\{B\\}}", 1],
    ["\\boxed{A, B}", -1],
    ["\\boxed{}", -1],
    ["\\boxed{F}", -1],
    ["\\boxed{b}", 1],
    ["{\"answer\": \"B\"}", 1],
    ["{\"answer_choice\": \"B\"}", 1],
    ["{\"step_by_step_thinking\": \"Aspirin, option A, is slow.\", \"answer_choice\": \"B\"}", 1],
    ["{\"step_by_step_thinking\": \"The answer is \\\"A\\\"? No.\", \"answer_choice\": \"B\"}", 1],
    ["{\"answer_choice\": \"B\", \"explanation\": \"A is slow.\"}", 1],
    ["{\"answer_choice\": \"B. Heparin\"}", 1],
    ["{\"answer_choice\": \"Heparin\"}", 1],
    ["{\"answer_choice\": \"Option B\"}", 1],
    ["{\"answer_choice\": B}", 1],
    ["{'answer_choice': 'B'}", 1],
    ["{\"Answer\": \"B\"}", 1],
    ["{\"final_answer\": \"(B)\"}", 1],
    ["{\"correct answer\": \"B\"}", 1],
    ["{\"choice\": \"b\"}", 1],
    ["{\"selected_option\": \"B\"}", 1],
    ["{\"answer\": [\"B\"]}", 1],
    ["{\"answer\": [\"A\", \"B\"]}", -1],
    ["{\"answer\": null}", -1],
    ["{\"answer\": \"\"}", -1],
    ["{\"answer\": 2}", -1],
    ["```json\n{\n  \"step_by_step_thinking\": \"A?\\nNo.\",\n  \"answer_choice\": \"B\"\n}\n```", 1],
    ["Here it is:\n{\"answer_choice\": \"B\"}\nThe answer A would be slow.", 1],
    ["Dict{\"step_by_step_thinking\": \"It clots.\nSo\", \"answer_choice\": \"B\"}", 1],
    ["{\"step_by_step_thinking\": \"It clots\", \"answer_choice\": \"B", 1],
    ["{\"answer\": \"A\"} {\"answer\": \"B\"}", 1],
    ["{\"options\": {\"A\": \"Aspirin\", \"B\": \"Heparin\"}, \"answer\": \"B\"}", 1],
    ["<answer>B</answer>", 1],
    ["<answer> B. Heparin </answer>", 1],
    ["<answer>Heparin</answer>", 1],
    ["<answer>The answer is B.</answer>", 1],
    ["<answer>A</answer> or <answer>B</answer>", 1],
    ["<answer>B", 1],
    ["<final_answer>B</final_answer>", 1]
  ]))

const bugs = ["Staphylococcus aureus", "Bacillus cereus", "Clostridioides difficile", "D-dimer", "Escherichia coli"]
describe("letters that are no option's", () =>
  check(bugs, [
    ["E. coli", -1],
    ["The answer is E. coli.", -1],
    ["The answer is E. It is a rod.", 4],
    ["The answer is E. Escherichia coli.", 4],
    ["The answer is C. difficile", -1],
    ["The answer is C. difficile, that is Clostridioides difficile", 2],
    ["The answer is C reactive protein", -1],
    ["The answer is C-reactive protein", -1],
    ["The answer is vitamin B", -1],
    ["A patient with E. coli in the urine", -1],
    ["Hepatitis B is excluded", -1],
    ["The answer is D-dimer", 3],
    ["The answer is D", 3],
    ["B cells are seen", -1],
    ["A 45-year-old man has it.", -1],
    ["I would say so", -1],
    ["Type A personality", -1],
    ["Bacillus cereus (Option B)", 1]
  ]))

describe("yes, no, maybe", () =>
  check(["yes", "no", "maybe"], [
    ["yes", 0],
    ["Yes.", 0],
    ["No", 1],
    ["Maybe", 2],
    ["Yes, there is no doubt.", 0],
    ["Yes it does.", 0],
    ["No, it does not.", 1],
    ["No: the trial found nothing.", 1],
    ["No evidence was found.", -1],
    ["There is no evidence.", -1],
    ["Answer: yes", 0],
    ["The answer is no.", 1],
    ["The answer is \"maybe\".", 2],
    ["{\"answer\": \"no\"}", 1],
    ["\\boxed{\\text{yes}}", 0],
    ["There is no doubt: the answer is yes.", 0],
    ["A", 0],
    ["B. no", 1],
    ["Maybe, as no trial was large.", 2],
    ["yes\n\nno trial says otherwise", 0],
    ["<think>No?</think>Yes", 0]
  ]))

describe("options within others", () =>
  check(["CFTR", "CFTR2", "type 2", "type 2 diabetes", "diabetes"], [
    ["CFTR", 0],
    ["CFTR2", 1],
    ["The answer is CFTR2", 1],
    ["The database is CFTR2.", 1],
    ["The gene is CFTR.", 0],
    ["type 2 diabetes", 3],
    ["It is type 2 diabetes.", 3],
    ["It is diabetes.", 4],
    ["The answer is type 2 diabetes.", 3],
    ["CFTR3", -1]
  ]))

const blood = ["O", "A", "B", "AB"]
describe("options of a single letter, where answers are letters", () =>
  check(blood, [
    ["B", 1],
    ["The answer is B", 1],
    ["AB", 3],
    ["O", 0],
    ["The answer is O.", 0],
    ["Option B", 1],
    ["A", 0],
    ["C. B", 2]
  ], "letter"))
describe("options of a single letter, where answers are texts", () =>
  check(blood, [["B", 2], ["The answer is B", 2], ["AB", 3], ["O", 0], ["A", 1], ["C", 2], ["D. AB", 3]], "text"))

describe("numbers", () => {
  check(["5", "10", "15", "0.5"], [
    ["5", 0],
    ["10", 1],
    ["0.5", 3],
    ["Answer: 15", 2],
    ["The answer is 5.", 0],
    ["The answer is 0.5.", 3],
    ["The answer is 5.5", -1],
    ["\\boxed{10}", 1],
    ["3 of 5 patients", -1],
    ["5 or 10", -1],
    ["1", -1],
    ["B", 1],
    ["{\"answer\": 5}", 0]
  ])
  check(["5 mg", "15 mg", "5 mg/kg", "1,000 mg"], [
    ["5 mg", 0],
    ["5mg", 0],
    ["15 mg daily", 1],
    ["The dose is 5 mg/kg.", 2],
    ["1000 mg", 3],
    ["25 mg", -1]
  ])
  check(["> 5", "< 5", "= 5"], [["> 5", 0], ["< 5", 1], ["Answer: <5", 1], ["5", -1], ["C", 2]])
  check(["$5", "5", "€5"], [["$5", 0], ["5", 1], ["€5", 2], ["The answer is $5.", 0], ["C", 2]])
  check(["five", "five", "six"], [["five", 0], ["six", 2], ["B", 1]])
  check(["x", "×", "*", "**"], [["D", 3], ["x", 0]])
  check(["HER2+", "HER2-", "Na+", "-"], [["HER2+", 0], ["HER2-", 1], ["The answer is HER2-", 1], ["Na+", 2]])
})

describe("options that say how many others hold", () =>
  check(["Aspirin", "Heparin", "None of the above", "All of the above"], [
    ["None of the above", 2],
    ["The answer is none of the above.", 2],
    ["All of the above", 3],
    ["D. All of the above", 3],
    ["C", 2],
    ["It is none of the above", 2]
  ]))

const antibiotics = ["Ampicillin", "Ceftriaxone", "Doxycycline", "Nitrofurantoin"]
describe("answers with their reasons", () =>
  check(antibiotics, [
    [
      "The patient's presentation is consistent with uncomplicated cystitis. First-line therapy for this is nitrofurantoin (Option D). Ampicillin (A) is not appropriate because of resistance.\n\nThe correct answer is D: Nitrofurantoin.",
      3
    ],
    [
      "To determine the best treatment, let's evaluate each option:\n\nA: Ampicillin – contraindicated...\nB: Ceftriaxone – IV, used for pyelonephritis.\nC: Doxycycline – contraindicated in pregnancy.\nD: Nitrofurantoin – safe.\n\nTherefore, the best treatment is D: Nitrofurantoin.",
      3
    ],
    [
      "A: Ampicillin – bad.\nB: Ceftriaxone – IV.\n\nBased on this analysis, the most appropriate treatment for this patient is (D) Nitrofurantoin.",
      3
    ],
    ["Based on the information provided, Nitrofurantoin would be the best treatment for this patient.", 3],
    ["Nitrofurantoin is the best treatment for this patient, as ceftriaxone is reserved for pyelonephritis.", 3],
    ["The best treatment for this patient is nitrofurantoin.", 3],
    ["The most likely diagnosis is (B).", 1],
    ["Explanation: ...\n\nAnswer: D\n\nNote: A would be wrong.", 3],
    ["**Answer: D. Nitrofurantoin**\n\n**Explanation:** A is wrong because of resistance. B is for pyelonephritis.", 3],
    ["**D) Nitrofurantoin**\n\nExplanation: Ampicillin has resistance; doxycycline is contraindicated.", 3],
    ["The correct answer is **D) Nitrofurantoin**.", 3],
    [
      "The correct answer is (D). Nitrofurantoin is safe in pregnancy. Option A (Ampicillin) is a possible answer, but resistance is common.",
      3
    ],
    ["D) Nitrofurantoin is the correct answer. A) Ampicillin is wrong.", 3],
    ["Given the above, my final answer is: D", 3],
    ["Final Answer: The final answer is $\\boxed{D}$. I hope it is correct.", 3],
    ["The final answer is: \\[ \\boxed{\\text{D) Nitrofurantoin}} \\]", 3],
    ["Answer:\n```\nD\n```", 3],
    ["Answer: Let's think step by step. UTI in pregnancy. So the answer is (D).", 3],
    ["Let me think... (A) is out. (B) is IV. (C) is teratogenic. So (D) is the answer.", 3],
    ["Among A through D, only D is safe.", -1],
    ["Among the options, the safest is nitrofurantoin.", 3],
    ["Hence, the answer: nitrofurantoin", 3],
    ["The correct answer choice is D.", 3],
    ["Correct option: D) Nitrofurantoin", 3],
    ["The answer is choice D", 3],
    ["The answer is letter D", 3],
    ["The correct response is D.", 3],
    ["D is the right answer", 3],
    ["I believe the correct answer is D.", 3],
    ["I believe D is the correct answer.", 3],
    ["I think it's D", 3],
    ["It's D.", 3],
    ["It is (D).", 3],
    ["I'd say D.", 3],
    ["My choice is D", 3],
    ["{\n \"answer\": \"D: Nitrofurantoin\"\n}", 3],
    ["{\"answer_choice\": \"D\", \"step_by_step_thinking\": \"The answer is A for others\"}", 3],
    ["{\"step_by_step_thinking\": \"option A: no. Option D is right\"", 3],
    ["### Final Answer\nD", 3],
    ["### Final Answer\n\n**D. Nitrofurantoin**", 3],
    ["#### D", 3],
    ["Answer is: d", 3],
    ["ans: D", 3],
    ["Ans. D", 3],
    ["(Answer: D)", 3],
    ["[Answer] D", -1],
    ["Solution: D", 3],
    ["The answer is D, not A.", 3],
    ["The answer is not A, B or C; it is D.", 3],
    ["D. Nitrofurantoin is indicated. C. Doxycycline is contraindicated in pregnancy.", 3],
    ["A. Ampicillin is wrong. D. Nitrofurantoin is right.", 3],
    ["None of the options is right.", -1],
    ["I cannot answer that.", -1],
    ["As an AI, I can't give medical advice.", -1],
    ["A", 0],
    ["A.", 0],
    ["A is the correct option.", 0],
    ["a) Ampicillin", 0],
    ["The answer: A) Ampicillin", 0],
    ["The answer is an antibiotic: nitrofurantoin", 3],
    ["the correct answer is option c", 2],
    ["Option (C)", 2],
    ["option C", 2],
    ["The best option is C", 2],
    ["Option C.", 2],
    ["Answer C", 2],
    ["answer: (c) doxycycline", 2],
    ["Correct: C", 2],
    ["C\n\n### Explanation\nThe tick bite...\nA is for Listeria", 2],
    ["C\n\nThe answer is C because of ticks. Option A would be for Listeria.", 2],
    ["Doxycycline\nDoxycycline\nDoxycycline", 2],
    ["C C C", -1],
    ["C.\n\nQuestion 2: Which one?\nA. x\nB. y\nAnswer: A", 2],
    ["The patient should be treated with doxycycline.", 2],
    ["The patient should be treated with doxycycline, since ampicillin and ceftriaxone do not cover rickettsiae.", -1],
    ["Treat with doxycycline. Ampicillin does not cover rickettsiae.", 2],
    ["We conclude that the answer is C", 2],
    ["Thus, among the given options, the drug of choice is C. Doxycycline", 2],
    ["Step 1: ... Step 2: ... Conclusion: C", 2],
    ["Conclusion: The answer is C", 2],
    ["The answer is “C”", 2],
    ["The answer is C) Doxycycline because of ticks", 2],
    ["The answer is C (doxycycline).", 2],
    ["the answer is (c)", 2],
    ["The answer is: (C) Doxycycline.\n\n<|im_end|>", 2],
    ["assistant\n\nThe answer is C", 2],
    ["\n\nC. Doxycycline</s>", 2],
    ["Drug of choice: doxycycline (C)", 2],
    ["A 25-year-old with a tick bite should get C. Doxycycline.", 2],
    ["Vitamin C is an antioxidant", -1],
    ["The answer is vitamin C", -1],
    ["Answer: C (not A)", 2],
    ["The correct answer is A. Ampicillin is a penicillin.", 0],
    ["The correct answer is A, which is a penicillin.", 0],
    ["The correct answer is A; ampicillin.", 0],
    ["Answer: A – Ampicillin", 0],
    ["Answer: A (Ampicillin)", 0]
  ]))

describe("options", () => {
  it("of all lengths are found where they are written out, or by their letter, in every form", () => {
    const word = fc.stringMatching(/^[b-hj-z]{3,8}$/)
    const forms: ReadonlyArray<(said: string) => string> = [
      (said) => said,
      (said) => ` ${said}.`,
      (said) => `The answer is (${said}).`,
      (said) => `Answer: ${said}`,
      (said) => `<think>x</think>**${said}**`,
      (said) => `so \\boxed{\\text{${said}}}`,
      (said) => `{"answer_choice": "${said}"}`
    ]
    const some = fc.uniqueArray(word, { minLength: 2, maxLength: 26 })
    fc.assert(fc.property(some, fc.constantFrom(...forms), (options, form) => {
      options.forEach((option, i) => {
        assert.strictEqual(optionOf(form(option), options), i)
        assert.strictEqual(optionOf(form(String.fromCharCode(65 + i)), options), i)
      })
    }))
  })
  it("that are none are never named", () => assert.strictEqual(optionOf("A", []), -1))
  it("are named or not by any text, in time that grows with its length", () => {
    fc.assert(fc.property(fc.string({ maxLength: 200, unit: "grapheme" }), fc.array(fc.string()), (text, options) => {
      const at = optionOf(text, options)
      assert.isTrue(at >= -1 && at < Math.max(1, options.length))
      assert.isString(freeAnswer(text))
    }))
    const parts = [
      "<think>",
      "\\boxed{",
      "{\"answer\": \"",
      "answer is ",
      "A ",
      "(B) ",
      "not ",
      " ",
      "a",
      ".",
      "'",
      "option ",
      "**",
      "\n"
    ]
    for (const part of parts) {
      const began = performance.now()
      optionOf(part.repeat(Math.ceil(60_000 / part.length)), drugs)
      freeAnswer(part.repeat(Math.ceil(60_000 / part.length)))
      assert.isBelow(performance.now() - began, 3000, JSON.stringify(part))
    }
  })
})

describe("a free answer", () => {
  const cases: ReadonlyArray<readonly [string, string]> = [
    ["Gaucher disease", "Gaucher disease"],
    ["<think>Fabry?</think>\n\nGaucher disease", "Gaucher disease"],
    ["Fabry?</think> Gaucher disease", "Gaucher disease"],
    ["<think>Fabry", ""],
    ["It follows: \\boxed{\\text{Gaucher disease}}.", "Gaucher disease"],
    ["{\"reason\": \"x\", \"answer\": \"Gaucher disease\"}", "Gaucher disease"],
    ["<answer> Gaucher disease </answer>", "Gaucher disease"],
    ["Answer: Gaucher disease\nIt is rare.", "Gaucher disease"],
    ["**Final answer:** Gaucher disease", "Gaucher disease"],
    ["A disease of GBA1.", "A disease of GBA1."],
    ["", ""]
  ]
  for (const [text, want] of cases) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(want)}`, () => assert.strictEqual(freeAnswer(text), want))
  }
  it("is the text itself where nothing in it is a thought or a form", () => {
    for (const text of ["analysis of urine", "think", "a <b> c", "x < y"]) assert.strictEqual(spoken(text), text)
  })
})
