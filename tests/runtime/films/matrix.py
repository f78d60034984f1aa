"""What people's files are made of: codecs, pixel formats and containers, each as ffmpeg's own encoders write it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from films.making import ffmpeg

MOVING = "testsrc2=s=192x108:r=25:d=2"
X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", 3)
X265 = ("-c:v", "libx265", "-x265-params", "log-level=error")
FAST = ("-deadline", "realtime", "-cpu-used", 8)
VP9 = ("-c:v", "libvpx-vp9", *FAST)
FIELDS = "testsrc2=s=192x108:r=50:d=2,tinterlace=interleave_top,setfield=tff"


@dataclass(frozen=True)
class FileKind:
    """A file's suffix, how it is encoded, and from what. `interlaced` ones are held against ffmpeg's bwdif."""

    suffix: str
    options: Sequence[object]
    source: str = MOVING
    interlaced: bool = False

    def make(self, folder: Path) -> Path:
        path = folder / f"film.{self.suffix}"
        ffmpeg("-f", "lavfi", "-i", self.source, *self.options, path)
        return path


EVERYDAY = {
    "AVC with B-frames": FileKind("mp4", X264),
    "AVC in open groups": FileKind("mp4", (*X264, "-x264-params", "open-gop=1:keyint=20")),
    "AVC, fragmented": FileKind("mp4", (*X264, "-g", 25, "-movflags", "+frag_keyframe+empty_moov")),
    "AVC, no duration": FileKind("mkv", (*X264, "-f", "matroska", "-live", 1)),
    "AVC, interlaced": FileKind("mp4", (*X264, "-flags", "+ildct+ilme"), FIELDS, True),
    "HEVC, 10 bits": FileKind("mkv", (*X265, "-pix_fmt", "yuv420p10le")),
    "AV1": FileKind("mp4", ("-c:v", "libsvtav1", "-preset", 12)),
    "VP8 with alpha": FileKind("webm", ("-c:v", "libvpx", *FAST, "-auto-alt-ref", 0, "-pix_fmt", "yuva420p")),
    "VP9": FileKind("webm", VP9),
    "VP9, 10 bits": FileKind("webm", (*VP9, "-pix_fmt", "yuv420p10le")),
    "VP9 4:2:2, 10 bits": FileKind("mp4", (*VP9, "-pix_fmt", "yuv422p10le")),
    "MPEG-2": FileKind("ts", ("-c:v", "mpeg2video", "-bf", 2)),
    "MPEG-4 with packed B-frames": FileKind("avi", ("-c:v", "libxvid", "-bf", 2)),
    "ProRes with alpha": FileKind("mov", ("-c:v", "prores_ks", "-profile:v", 4, "-pix_fmt", "yuva444p10le")),
    "Motion JPEG": FileKind("avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj422p")),
    "Motion JPEG, raw": FileKind("mjpeg", ("-c:v", "mjpeg", "-pix_fmt", "yuvj422p")),
    "GIF": FileKind("gif", ("-vf", "fps=10")),
    "animated PNG": FileKind("apng", ("-vf", "fps=10")),
    "29.97 a second": FileKind("mkv", X264, "testsrc2=s=192x108:r=30000/1001:d=2"),
}
"""The kinds that are tried every time."""

RARE = {
    "AVC 4:2:2": FileKind("mp4", (*X264, "-pix_fmt", "yuv422p")),
    "AVC 4:4:4": FileKind("mkv", (*X264, "-pix_fmt", "yuv444p")),
    "AVC 10 bits": FileKind("mkv", (*X264, "-pix_fmt", "yuv420p10le")),
    "AVC grey": FileKind("mkv", (*X264, "-pix_fmt", "gray")),
    "AVC, periodic refresh": FileKind("mp4", (*X264, "-x264-params", "intra-refresh=1:keyint=30")),
    "AVC, DASH fragments": FileKind("mp4", (*X264, "-g", 25, "-movflags", "+dash+frag_keyframe+empty_moov+delay_moov")),
    "AVC, full range": FileKind("mp4", ("-c:v", "libx264", "-pix_fmt", "yuvj420p", "-color_range", "pc")),
    "AVC, BT.709": FileKind(
        "mp4",
        ("-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709", *X264),
    ),
    "AVC, odd size": FileKind("mkv", (*X264, "-pix_fmt", "yuv444p"), "testsrc2=s=191x107:r=25:d=2"),
    "AVC, cropped": FileKind("mp4", X264, "testsrc2=s=190x106:r=25:d=2"),
    "AVC, 60 a second": FileKind("mp4", X264, "testsrc2=s=192x108:r=60:d=2"),
    "AVC, 5 a second": FileKind("mp4", X264, "testsrc2=s=192x108:r=5:d=4"),
    "AVC, interlaced TS": FileKind("ts", (*X264, "-flags", "+ildct+ilme", "-x264-params", "tff=1"), FIELDS, True),
    "AVC in 3GP": FileKind("3gp", X264),
    "AVC in 3G2": FileKind("3g2", X264),
    "AVC in WTV": FileKind("wtv", X264),
    "AVC in FLV": FileKind("flv", X264),
    "AVC in NUT": FileKind("nut", X264),
    "AVC in AVI": FileKind("avi", (*X264, "-bf", 0)),
    "AVC in M2TS": FileKind("m2ts", X264),
    "AVC raw": FileKind("h264", X264),
    "HEVC": FileKind("mp4", X265),
    "HEVC in TS": FileKind("ts", X265),
    "HEVC raw": FileKind("hevc", X265),
    "AV1 in Matroska": FileKind("mkv", ("-c:v", "libsvtav1", "-preset", 12)),
    "AV1 in IVF": FileKind("ivf", ("-c:v", "libsvtav1", "-preset", 12)),
    "AV1 as OBUs": FileKind("obu", ("-c:v", "libsvtav1", "-preset", 12)),
    "AV1, 10 bits": FileKind("mp4", ("-c:v", "libsvtav1", "-preset", 12, "-pix_fmt", "yuv420p10le")),
    "VP8": FileKind("webm", ("-c:v", "libvpx", *FAST)),
    "VP8, profile 3": FileKind("webm", ("-c:v", "libvpx", *FAST, "-profile:v", 3)),
    "VP8, live": FileKind("webm", ("-c:v", "libvpx", *FAST, "-live", 1, "-f", "webm")),
    "VP9 with alpha": FileKind("webm", (*VP9, "-auto-alt-ref", 0, "-pix_fmt", "yuva420p")),
    "VP9 4:2:2": FileKind("mp4", (*VP9, "-pix_fmt", "yuv422p")),
    "VP9 4:4:0": FileKind("webm", (*VP9, "-pix_fmt", "yuv440p")),
    "VP9 4:4:4": FileKind("webm", (*VP9, "-pix_fmt", "yuv444p")),
    "VP9 4:4:4, 12 bits": FileKind("webm", (*VP9, "-pix_fmt", "yuv444p12le")),
    "VP9 RGB": FileKind("webm", (*VP9, "-pix_fmt", "gbrp")),
    "VP9 RGB, 10 bits": FileKind("webm", (*VP9, "-pix_fmt", "gbrp10le")),
    "VP9, 10 bits, hidden frames": FileKind(
        "mp4",
        ("-c:v", "libvpx-vp9", "-cpu-used", 8, "-lag-in-frames", 25, "-auto-alt-ref", 1, "-pix_fmt", "yuv420p10le"),
    ),
    "VP9, hidden frames": FileKind(
        "mkv", ("-c:v", "libvpx-vp9", "-cpu-used", 8, "-lag-in-frames", 25, "-auto-alt-ref", 1)
    ),
    "MPEG-2 program stream": FileKind("mpg", ("-c:v", "mpeg2video", "-bf", 2)),
    "MPEG-2 raw": FileKind("m2v", ("-c:v", "mpeg2video", "-bf", 2, "-f", "mpeg2video")),
    "MPEG-2, interlaced": FileKind("ts", ("-c:v", "mpeg2video", "-flags", "+ildct+ilme"), FIELDS, True),
    "MPEG-2 4:2:2": FileKind("ts", ("-c:v", "mpeg2video", "-pix_fmt", "yuv422p")),
    "MPEG-4 in AVI": FileKind("avi", ("-c:v", "mpeg4", "-bf", 2)),
    "MPEG-4 in MP4": FileKind("mp4", ("-c:v", "mpeg4", "-bf", 2)),
    "MPEG-4 raw": FileKind("m4v", ("-c:v", "mpeg4", "-f", "m4v")),
    "JPEG 2000 in MJ2": FileKind("mj2", ("-c:v", "jpeg2000", "-pix_fmt", "yuv420p", "-f", "mov")),
    "RealVideo": FileKind("rm", ("-c:v", "rv20"), "testsrc2=s=352x288:r=25:d=2"),
    "ProRes": FileKind("mov", ("-c:v", "prores_ks")),
    "DNxHD in MXF": FileKind(
        "mxf", ("-c:v", "dnxhd", "-b:v", "120M", "-pix_fmt", "yuv422p"), "testsrc2=s=1920x1080:r=25:d=1"
    ),
    "DV": FileKind("dv", ("-c:v", "dvvideo", "-pix_fmt", "yuv420p"), "testsrc2=s=720x576:r=25:d=1", True),
    "Motion JPEG in MOV": FileKind("mov", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
    "Motion JPEG over HTTP": FileKind("mjpg", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mpjpeg")),
    "Motion JPEG in SMJPEG": FileKind("smjpeg", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "smjpeg")),
    "MPEG-2 in GXF": FileKind("gxf", ("-c:v", "mpeg2video"), "testsrc2=s=720x576:r=25:d=2"),
    "DNxHD raw": FileKind(
        "dnxhd",
        ("-c:v", "dnxhd", "-b:v", "120M", "-pix_fmt", "yuv422p", "-f", "dnxhd"),
        "testsrc2=s=1920x1080:r=25:d=1",
    ),
    "H.261 raw": FileKind("h261", ("-c:v", "h261"), "testsrc2=s=352x288:r=25:d=2"),
    "H.263 raw": FileKind("h263", ("-c:v", "h263"), "testsrc2=s=352x288:r=25:d=2"),
    "RoQ": FileKind("roq", ("-c:v", "roqvideo", "-r", 30), "testsrc2=s=256x128:r=30:d=2"),
    "Sorenson in SWF": FileKind("swf", ("-c:v", "flv")),
    "FFV1": FileKind("mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv420p")),
    "FFV1 RGB": FileKind("mkv", ("-c:v", "ffv1", "-pix_fmt", "bgr0")),
    "HuffYUV": FileKind("mkv", ("-c:v", "huffyuv")),
    "Cinepak": FileKind("avi", ("-c:v", "cinepak"), "testsrc2=s=96x56:r=25:d=2"),
    "H.263": FileKind("3gp", ("-c:v", "h263"), "testsrc2=s=176x144:r=25:d=2"),
    "Sorenson in FLV": FileKind("flv", ("-c:v", "flv")),
    "Theora": FileKind("ogv", ("-c:v", "libtheora")),
    "WMV": FileKind("wmv", ("-c:v", "wmv2")),
    "raw video": FileKind("avi", ("-c:v", "rawvideo"), "testsrc2=s=96x54:r=25:d=2"),
    "Y4M": FileKind("y4m", ("-pix_fmt", "yuv420p"), "testsrc2=s=96x54:r=25:d=2"),
    "4K": FileKind("mp4", (*X264, "-preset", "ultrafast"), "testsrc2=s=3840x2160:r=25:d=1"),
    "8K": FileKind("mp4", (*X265, "-preset", "ultrafast"), "testsrc2=s=7680x4320:r=5:d=1"),
}
"""The rest of the matrix."""
