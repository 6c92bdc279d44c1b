"""An exported model in 8 and 4 bits, as transformers.js names them: onnx/model_quantized.onnx and onnx/model_q4.onnx.

    python bench/peers/quantise.py FOLDER

By ONNX Runtime's own tools: dynamic quantisation to 8 bits, and MatMulNBits in symmetric blocks of 32 that rounds its
operands to 8 bits. Both know only MatMul, so a Gemm without a bias becomes one first.
"""

import sys
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

KINDS = {"Gemm", "MatMul", "MatMulInteger", "MatMulNBits"}


def with_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replaces each Gemm x Wᵀ by a MatMul with the transposed matrix."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Gemm" or len(node.input) != 2 or node.input[1] not in weights:
            continue
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if given.get("alpha", 1.0) != 1.0 or given.get("transA", 0):
            raise SystemExit(f"{node.name}: not a plain product")
        matrix = numpy_helper.to_array(weights[node.input[1]])
        name = f"{node.input[1]}/columns"
        if given.get("transB", 0):
            matrix = numpy.ascontiguousarray(matrix.T)
        model.graph.initializer.append(numpy_helper.from_array(matrix, name))
        node.op_type = "MatMul"
        node.input[1] = name
        del node.attribute[:]
    used = {name for node in model.graph.node for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


folder = Path(sys.argv[1]) / "onnx"
plain = folder / "products.onnx"
onnx.save(with_products(onnx.load(folder / "model.onnx")), plain)
quantize_dynamic(
    plain,
    folder / "model_quantized.onnx",
    weight_type=QuantType.QInt8,
    op_types_to_quantize=["MatMul"],
    extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
)
quantizer = MatMulNBitsQuantizer(onnx.load(plain), block_size=32, is_symmetric=True, accuracy_level=4)
quantizer.process()
quantizer.model.save_model_to_file(str(folder / "model_q4.onnx"))
plain.unlink()
for path in sorted(folder.glob("*.onnx")):
    kinds = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
    print(path.name, path.stat().st_size, {kind: kinds.count(kind) for kind in sorted(KINDS & set(kinds))}, file=sys.stderr)
