"""A file as xz, with the filter for x86 code: python3 compress.py FILE OUT"""
import lzma, sys

filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 26}]
open(sys.argv[2], "wb").write(lzma.compress(open(sys.argv[1], "rb").read(), format=lzma.FORMAT_XZ, filters=filters))
