"""Small pictures of every kind as Pillow writes them or by hand, the pixels Pillow reads, and what transformers makes of them.

Writes pictures/: the files, and pictures/expected.json: for each picture that Pillow reads the SHA-256 of its pixels, upright and in
RGB (alpha dropped, and over white), and of the pixel values of each preprocessor's config; for resizing, the same of one
picture at many sizes under each filter.
"""

import hashlib
import io
import json
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from transformers import (
    BitImageProcessor, CLIPImageProcessor, Idefics3ImageProcessor, LlavaImageProcessor, SiglipImageProcessor,
    ViTImageProcessor,
)

HERE = Path(__file__).parent / "pictures"
RANDOM = np.random.default_rng(7)


def scene(width, height, channels=3):
    """Slopes, edges and a little noise, so that filters, chroma and rounding all matter."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 100 * np.sin(x / (5 + 3 * c) + c) * np.cos(y / (7 - c)) + 40 * ((x * (c + 1) + y) % 23 < 5)
              for c in range(channels)]
    noise = RANDOM.normal(0, 12, (height, width, channels))
    pixels = np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def picture(width, height, mode="RGB"):
    return Image.fromarray(scene(width, height, {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]), mode)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, interlace=0, before=()):
    """A PNG by hand; `rows` are bytes without filter types, or the seven passes of an interlaced one."""
    passes = rows if interlace else [rows]
    data = zlib.compress(b"".join(b"\0" + row for one in passes for row in one))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [chunk(b"IHDR", head), *before, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def interlaced(pixels):
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [pixels[y::dy, x::dx] for y, x, dy, dx in adam7]
    return [[row.tobytes() for row in one] for one in passes if one.size > 0]


def deep(width, height, channels):
    pixels = RANDOM.integers(0, 65536, (height, width, channels)).astype(">u2")
    return [row.tobytes() for row in pixels]


def icc():
    """A matrix profile with red and green exchanged and a gamma of 1: whoever applies it changes every pixel."""
    def xyz(*v):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(one * 65536)) for one in v)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"swap\0" + b"\0" * 78
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(.9642, 1, .8249), b"gXYZ": xyz(.436, .2225, .0139),
            b"rXYZ": xyz(.3851, .7169, .0971), b"bXYZ": xyz(.1431, .0606, .7141), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I", size) + b"\0\0\0\0" + struct.pack(">I", 0x02100000) + b"mntrRGB XYZ " + struct.pack(
        ">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def with_chunk(data, *chunks):
    """Chunks put in front of a PNG's pixels."""
    return data[:33] + b"".join(chunks) + data[33:]


def animated(kind):
    frames = [picture(20, 12) for _ in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


def read():
    """Pictures that are to be read."""
    rgb, gray, clear = picture(61, 43), picture(50, 70, "L"), picture(40, 32, "RGBA")
    palette = rgb.quantize(200)
    out = {
        "rgb.png": saved(rgb, "PNG"),
        "gray.png": saved(gray, "PNG"),
        "one-bit.png": saved(gray.convert("1"), "PNG"),
        "two-bit.png": png(13, 9, 2, 0, [RANDOM.integers(0, 256, 4).astype(np.uint8).tobytes() for _ in range(9)]),
        "four-bit.png": png(13, 9, 4, 0, [RANDOM.integers(0, 256, 7).astype(np.uint8).tobytes() for _ in range(9)]),
        "palette.png": saved(palette, "PNG"),
        "palette-16.png": saved(rgb.quantize(16), "PNG"),
        "palette-clear.png": saved(palette, "PNG", transparency=bytes(range(0, 200))),
        "rgba.png": saved(clear, "PNG"),
        "gray-alpha.png": saved(picture(30, 21, "LA"), "PNG"),
        "rgb-key.png": saved(rgb, "PNG", transparency=tuple(int(v) for v in np.asarray(rgb)[3, 4])),
        "gray-key.png": saved(gray, "PNG", transparency=int(np.asarray(gray)[2, 2])),
        "interlaced.png": png(29, 23, 8, 2, interlaced(scene(29, 23)), 1),
        "deep.png": png(17, 11, 16, 2, deep(17, 11, 3)),
        "deep-alpha.png": png(17, 11, 16, 6, deep(17, 11, 4)),
        "gamma.png": with_chunk(saved(rgb, "PNG"), chunk(b"gAMA", struct.pack(">I", 100000))),
        "profile.png": saved(rgb, "PNG", icc_profile=icc()),
        "turned-6.png": saved(rgb, "PNG", exif=turned(6)),
        "row.png": saved(picture(97, 1), "PNG"),
        "column.png": saved(picture(1, 83), "PNG"),
        "pixel.png": saved(picture(1, 1), "PNG"),
        "gray.jpg": saved(gray, "JPEG", quality=80),
        "444.jpg": saved(rgb, "JPEG", quality=90, subsampling=0),
        "422.jpg": saved(rgb, "JPEG", quality=85, subsampling=1),
        "420.jpg": saved(picture(75, 53), "JPEG", quality=75, subsampling=2),
        "progressive.jpg": saved(rgb, "JPEG", quality=70, progressive=True),
        "poor.jpg": saved(rgb, "JPEG", quality=5),
        "restarts.jpg": saved(rgb, "JPEG", quality=75, restart_marker_blocks=2),
        "keep-rgb.jpg": saved(rgb, "JPEG", quality=90, keep_rgb=True),
        "profile.jpg": saved(rgb, "JPEG", quality=90, icc_profile=icc()),
        "wide.jpg": saved(picture(400, 31), "JPEG", quality=85),
        "tall.jpg": saved(picture(29, 310), "JPEG", quality=85),
        "large.jpg": saved(picture(330, 240), "JPEG", quality=60),
        "lossy.webp": saved(rgb, "WEBP", quality=70),
        "lossless.webp": saved(rgb, "WEBP", lossless=True),
        "clear.webp": saved(clear, "WEBP", lossless=True, exact=True),
        "still.gif": saved(rgb.quantize(64), "GIF"),
        "rgb.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "gray.tiff": saved(gray, "TIFF"),
        "white-is-zero.tiff": saved(gray, "TIFF", tiffinfo={262: 0}),
    }
    return out | {f"turned-{n}.jpg": saved(picture(37, 22), "JPEG", quality=88, exif=turned(n)) for n in range(1, 9)}


def refused():
    """Pictures that are to be refused, though some libraries read something out of them."""
    rgb = picture(61, 43)
    jpeg, plain = saved(rgb, "JPEG", quality=80), saved(rgb, "PNG")
    damaged = bytearray(plain)
    damaged[200] ^= 0xFF
    return {
        "empty.png": b"",
        "text.png": b"no picture at all\n",
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.png": plain[: len(plain) // 2],
        "damaged.png": bytes(damaged),
        "damaged.jpg": jpeg[:700] + b"\xff\xd3" * 5 + jpeg[710:],
        "cut.webp": saved(rgb, "WEBP")[:300],
        "head.jpg": jpeg[:20],
        "cmyk.jpg": saved(picture(20, 15, "CMYK"), "JPEG"),
        "deep-gray.png": png(17, 11, 16, 0, deep(17, 11, 1)),
        "deep-gray-alpha.png": png(17, 11, 16, 4, deep(17, 11, 2)),
        "real.tiff": saved(Image.fromarray(RANDOM.random((9, 8)).astype(np.float32)), "TIFF"),
        "pages.tiff": saved(rgb, "TIFF", save_all=True, append_images=[rgb]),
        "clear.gif": saved(rgb.quantize(64), "GIF", transparency=5),
        "animated.gif": animated("GIF"),
        "animated.png": animated("PNG"),
        "animated.webp": animated("WEBP"),
        "bomb.png": png(30000, 30000, 1, 0, [b"\0" * 3750]),
        "plain.bmp": saved(rgb, "BMP"),
    }


def white(image):
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, (255, 255, 255)), clear).convert("RGB")


# Name: the processor's class, and its config at a size that keeps the tests fast.
PROCESSORS = {
    "clip": (CLIPImageProcessor, {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}}),
    "clip-odd": (CLIPImageProcessor, {"size": {"shortest_edge": 31}, "crop_size": {"height": 45, "width": 20}}),
    "siglip": (SiglipImageProcessor, {"size": {"height": 40, "width": 56}}),
    "vit": (ViTImageProcessor, {"size": {"height": 32, "width": 32}}),
    "vit-nearest": (ViTImageProcessor, {"size": {"height": 33, "width": 47}, "resample": 0, "do_normalize": False}),
    "dinov2": (BitImageProcessor, {"size": {"shortest_edge": 52}, "crop_size": {"height": 42, "width": 42},
                                   "image_mean": [.485, .456, .406], "image_std": [.229, .224, .225]}),
    "llava": (LlavaImageProcessor, {"size": {"shortest_edge": 36}, "crop_size": {"height": 36, "width": 36}, "do_pad": True}),
    "plain": (CLIPImageProcessor, {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": False}),
    "idefics3": (Idefics3ImageProcessor, {"size": {"longest_edge": 90}, "max_image_size": {"longest_edge": 32},
                                          "do_image_splitting": False}),
}


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def processed(image, processor, name):
    """Of one picture in RGB. An array of height 1 or 3 is ambiguous to transformers, so its layout is told."""
    options = {} if name == "idefics3" else {"input_data_format": "channels_last"}
    values = processor(image, return_tensors="np", **options)["pixel_values"]
    one = values[0, 0] if name == "idefics3" else values[0]
    return {"shape": list(one.shape), "sha256": sha(one.astype(np.float32))}


def expected(data, processors):
    opened = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    rgb, over = opened.convert("RGB"), white(opened)
    out = {"size": list(rgb.size), "drop": sha(np.asarray(rgb)), "white": sha(np.asarray(over))}
    for name, processor in processors.items():
        if name == "idefics3" and min(rgb.size) < 4:
            continue
        out[name] = processed(over if name == "idefics3" else rgb, processor, name)
    return out


def main():
    warnings.simplefilter("ignore")
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    processors = {name: kind(**config) for name, (kind, config) in PROCESSORS.items()}
    files = read()
    for name, data in (files | refused()).items():
        (HERE / name).write_bytes(data)
    base = Image.open(io.BytesIO(files["rgb.png"]))
    sizes = [(61, 43), (122, 86), (30, 21), (7, 200), (200, 7), (61, 10), (10, 43), (1, 1), (224, 224), (37, 59)]
    resized = [{"size": [w, h], "filter": f, "sha256": sha(np.asarray(base.resize((w, h), f)))}
               for w, h in sizes for f in range(6)]
    ramp = Image.fromarray(np.array([[0, 64, 128, 255]], np.uint8))
    ramps = [{"width": w, "filter": f, "row": np.asarray(ramp.resize((w, 1), f))[0].tolist()} for w in (2, 7) for f in range(6)]
    configs = {name: json.loads(p.to_json_string()) for name, p in processors.items()}
    pictures = {name: expected(data, processors) for name, data in files.items()}
    out = {"pictures": pictures, "processors": configs, "resized": resized, "ramps": ramps, "refused": list(refused())}
    (HERE / "expected.json").write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
