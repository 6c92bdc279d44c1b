/** The sets of MedMNIST v2 (Yang et al. 2023): what their pictures show, and their labels in order. */

/** A set with one label for each picture. */
export interface MedmnistSet {
  /** What a picture is, as in "this chest X-ray". */
  readonly picture: string
  readonly labels: ReadonlyArray<string>
}

const organs =
  "bladder,femur-left,femur-right,heart,kidney-left,kidney-right,liver,lung-left,lung-right,pancreas,spleen".split(",")

/** The sets by the beginning of their files' names. */
export const sets: Readonly<Record<string, MedmnistSet>> = {
  pathmnist: {
    picture: "histological picture of colorectal tissue",
    labels: [
      "adipose",
      "background",
      "debris",
      "lymphocytes",
      "mucus",
      "smooth muscle",
      "normal colon mucosa",
      "cancer-associated stroma",
      "colorectal adenocarcinoma epithelium"
    ]
  },
  dermamnist: {
    picture: "dermatoscopic picture",
    labels: [
      "actinic keratoses and intraepithelial carcinoma",
      "basal cell carcinoma",
      "benign keratosis-like lesions",
      "dermatofibroma",
      "melanoma",
      "melanocytic nevi",
      "vascular lesions"
    ]
  },
  octmnist: {
    picture: "optical coherence tomography of a retina",
    labels: ["choroidal neovascularization", "diabetic macular edema", "drusen", "normal"]
  },
  pneumoniamnist: { picture: "chest X-ray", labels: ["normal", "pneumonia"] },
  retinamnist: {
    picture: "fundus picture",
    labels: ["0", "1", "2", "3", "4"].map((grade) => `diabetic retinopathy of grade ${grade}`)
  },
  /** The label of what is malignant is 0. */
  breastmnist: { picture: "breast ultrasound", labels: ["malignant", "normal, benign"] },
  bloodmnist: {
    picture: "picture of a blood cell",
    labels: [
      "basophil",
      "eosinophil",
      "erythroblast",
      "immature granulocytes (myelocytes, metamyelocytes and promyelocytes)",
      "lymphocyte",
      "monocyte",
      "neutrophil",
      "platelet"
    ]
  },
  tissuemnist: {
    picture: "picture of a kidney cortex cell",
    labels: [
      "Collecting Duct, Connecting Tubule",
      "Distal Convoluted Tubule",
      "Glomerular endothelial cells",
      "Interstitial endothelial cells",
      "Leukocytes",
      "Podocytes",
      "Proximal Tubule Segments",
      "Thick Ascending Limb"
    ]
  },
  organamnist: { picture: "axial CT section", labels: organs },
  organcmnist: { picture: "coronal CT section", labels: organs },
  organsmnist: { picture: "sagittal CT section", labels: organs }
}
