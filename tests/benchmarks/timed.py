"""A provider of each kind with fixed latency, as modules that are added to the functions.

The results are minimal, so that the benchmark measures waiting and not rendering.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """The seconds of a story, an image and a clip."""

    story: float
    image: float
    clip: int

    def modules(self) -> Mapping[str, str]:
        """Return the sources of the providers by kind."""
        return {
            "text": _TEXT.format(seconds=self.story),
            "image": _IMAGE.format(seconds=self.image),
            "video": _VIDEO.format(seconds=self.clip),
        }


MODELS = """
[[models]]
kind = "text"
provider = "timed"
model = "timed-story"
default = true
label = "Benchmark"

[[models]]
kind = "image"
provider = "timed"
model = "timed-picture"
default = true
label = "Benchmark"
ratios = ["1280:720"]

[[models]]
kind = "video"
provider = "timed"
model = "timed-clip"
default = true
label = "Benchmark"
ratios = ["1280:720"]
seconds = [5]
"""

_TEXT = """
import time
from offline import text as offline

def create(context):
    return Timed(offline.create(context))

class Timed:
    def __init__(self, real):
        self.real = real
    def write_story(self, request):
        time.sleep({seconds})
        return self.real.write_story(request)
"""

_IMAGE = """
import io, time
from PIL import Image
from common.providers import ImageResult
from common.domain.video import FREE, EncodedImage

def create(context):
    return Timed()

class Timed:
    def generate_image(self, request):
        time.sleep({seconds})
        out = io.BytesIO()
        Image.new("RGB", request.size, (40 * request.scene % 256, 90, 160)).save(out, "PNG")
        return ImageResult(EncodedImage(out.getvalue()), FREE)
"""

_VIDEO = """
import time
from common.media import ffmpeg
from common.providers import JobRef, JobState, JobStatus

def create(context):
    return Timed()

class Timed:
    def submit(self, request):
        facts = {{"from": time.time(), "seconds": request.seconds}}
        return JobRef("timed", request.model, request.client_token, facts,
                      wait_seconds={seconds})
    def poll(self, job):
        done = time.time() - job.facts["from"] >= {seconds} - 0.05
        return JobState(JobStatus.SUCCEEDED if done else JobStatus.RUNNING, wait_seconds=1)
    def fetch(self, job, state, target):
        ffmpeg.run(["-f", "lavfi", "-i", f"color=c=gray:s=1280x720:r=24:d={{job.facts['seconds']}}",
                    "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                    "-video_track_timescale", "12288", "-y", str(target)], timeout=60)
    def cancel(self, job, state):
        return JobState(JobStatus.CANCELED)
"""
