"""Remakes the golden cut list: every cut that PySceneDetect finds on the sample film's native frames.

python scripts/golden_cuts.py ~/.cache/pitwall/media/bbb.mp4 > tests/runtime/pipeline/golden/big_buck_bunny.cuts.json
"""

import json
import sys

import av
from scenedetect import ContentDetector, FrameTimecode

THRESHOLD, SHORTEST_FRAMES = 27, 12


def main() -> int:
    """Decode every frame, print the cuts in seconds."""
    detector = ContentDetector(threshold=THRESHOLD, min_scene_len=SHORTEST_FRAMES)
    cuts, number, rate = [], 0, 0.0
    with av.open(sys.argv[1]) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or 0)
        for frame in container.decode(stream):
            image = frame.reformat(width=320, height=180, format="bgr24").to_ndarray()
            cuts += detector.process_frame(FrameTimecode(number, fps=rate), image)
            number += 1
    cuts += detector.post_process(FrameTimecode(number - 1, fps=rate))
    seconds = sorted({round(cut.frame_num / rate, 3) for cut in cuts})
    how = f"ContentDetector(threshold={THRESHOLD}, min_scene_len={SHORTEST_FRAMES}) on every native frame at 320x180"
    print(json.dumps({"film": "bbb.mp4", "detector": how, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
