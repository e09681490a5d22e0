"""A provider of each kind that takes a fixed time, as a module that is added to the functions.

Stories take 2 s, pictures 5 s and clips 20 s. The results are those of the offline providers, made
small, so that what is measured is the waiting and not the drawing.
"""

MODELS = """
[[models]]
kind = "text"
provider = "timed"
model = "two-seconds"
default = true
label = "Benchmark"

[[models]]
kind = "image"
provider = "timed"
model = "five-seconds"
default = true
label = "Benchmark"
ratios = ["1280:720"]

[[models]]
kind = "video"
provider = "timed"
model = "twenty-seconds"
default = true
label = "Benchmark"
ratios = ["1280:720"]
seconds = [5]
"""

STORY_SECONDS, IMAGE_SECONDS, CLIP_SECONDS = 2.0, 5.0, 20.0

TEXT = f"""
import time
from common.providers.text import offline

def create(context):
    return Timed(offline.create(context))

class Timed:
    def __init__(self, real):
        self.real = real
    def write_story(self, request):
        time.sleep({STORY_SECONDS})
        return self.real.write_story(request)
"""

IMAGE = f"""
import io, time
from PIL import Image
from common.providers import ImageResult
from common.video import FREE, Picture

def create(context):
    return Timed()

class Timed:
    def paint(self, request):
        time.sleep({IMAGE_SECONDS})
        out = io.BytesIO()
        Image.new("RGB", request.size, (40 * request.scene % 256, 90, 160)).save(out, "PNG")
        return ImageResult(Picture(out.getvalue()), FREE)
"""

VIDEO = f"""
import time
from common import ffmpeg
from common.providers import JobRef, JobState, JobStatus

def create(context):
    return Timed()

class Timed:
    def submit(self, request):
        facts = {{"from": time.time(), "seconds": request.seconds}}
        return JobRef("timed", request.model, request.client_token, facts,
                      wait_seconds={CLIP_SECONDS:.0f})
    def poll(self, job):
        done = time.time() - job.facts["from"] >= {CLIP_SECONDS} - 0.05
        return JobState(JobStatus.SUCCEEDED if done else JobStatus.RUNNING, wait_seconds=1)
    def fetch(self, job, state, target):
        ffmpeg.run(["-f", "lavfi", "-i", f"color=c=gray:s=1280x720:r=24:d={{job.facts['seconds']}}",
                    "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                    "-video_track_timescale", "12288", "-y", str(target)], timeout=60)
    def cancel(self, job):
        return JobState(JobStatus.CANCELED)
"""
