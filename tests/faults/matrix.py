"""The fault matrix as data: each fault, the steps that it applies to, and the required result.

The requirements (`Required`) were written before the product was tested: the status of the faulty
run, the status after a resume without the fault, the number of charged calls of the step, their
states in the ledger, and the `billed` field of the user's error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clip.job import MAX_COLLECTIONS
from tests.faults.ports import Strike

DONE, PARKED = "succeeded", "failed provider.outcome_unknown"
# The outcome is unknown too, but Runway's job count shows that the call was accepted.
ID_LOST = "failed provider.accepted_id_lost"


@dataclass(frozen=True)
class Script:
    """A fault of a stand-in (see `tests.stand_ins`); `options` are those of the mode.

    `call` is the first affected call of the endpoint, from 1.
    """

    vendor: str
    endpoint: str
    mode: str
    times: int | None = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    call: int | None = None


@dataclass(frozen=True)
class Required:
    """The required result of a fault (see the module). `resumed` is "" if no resume is needed.

    `states` are those of the step's attempts in the ledger, except refused ones, which may be any
    number; `told` is `billed` of the run's error.
    """

    first: str
    resumed: str = ""
    calls: int = 1
    states: tuple[str, ...] = ("succeeded",)
    told: bool | None = None
    flagged: int = 0


@dataclass(frozen=True)
class Cell:
    """A fault at a step."""

    fault: str
    step: str
    required: Required
    scripts: tuple[Script, ...] = ()
    strikes: tuple[Strike, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the step's vendor, for the run
    on_unknown: str = "fail"
    comes_back: bool = (
        False  # within the run, which resolves the unknown outcome instead of a resume
    )
    stays: bool = False  # the fault persists during the resume

    @property
    def name(self) -> str:
        """The name of the cell."""
        policy = "" if self.on_unknown == "fail" else ", resubmit once"
        return f"{self.step}: {self.fault}{policy}"


# -- requirements ----------------------------------------------------------------------------------
HEALS = Required(DONE)


def parked(calls: int) -> Required:
    """Outcome unknown: not repeated automatically, nor by a resume."""
    return Required(PARKED, PARKED, calls, ("unknown",))


COUNTED = Required(ID_LOST, ID_LOST, 1, ("unknown",), told=True)


def refused(code: str, told: bool | None = False) -> Required:
    """Refused and not charged: a resume makes the call once the cause is removed."""
    return Required(f"failed {code}", DONE, told=told)


def spoiled(code: str, told: bool | None = True) -> Required:
    """Charged without a usable result: the error has `billed`, and a resume pays for another."""
    return Required(f"failed {code}", DONE, 2, ("failed", "succeeded"), told)


def delayed(code: str, told: bool | None = None) -> Required:
    """The run fails and keeps the paid result: a resume continues without paying again."""
    return Required(f"failed {code}", DONE, told=told)


# -- steps -----------------------------------------------------------------------------------------
# Column of the table -> the step in the ledger, and the state that makes it.
STEPS: Mapping[str, tuple[tuple[str, int], str]] = {
    "story": (("story", 0), "WriteStory"),
    "picture": (("image", 1), "PaintAnchor"),
    "edit": (("image", 2), "PaintImage"),
    "correction": (("story", 0), "WriteStory"),
    "speech": (("speech", 1), "SpeakNarration"),
    "submit": (("clip", 1), "StartClip"),
    "poll": (("clip", 1), "CheckClip"),
    "download": (("clip", 1), "CollectClip"),
    "merge": (("clip", 1), "MergeClips"),
    "finish": (("clip", 1), "Finish"),
}
_ENDPOINTS = {
    "story": ("openai", "responses"),
    "picture": ("openai", "images.generations"),
    "edit": ("openai", "images.edits"),
    "correction": ("openai", "responses"),
    "speech": ("openai", "chat.completions"),
    "submit": ("runway", "image_to_video"),
    "poll": ("runway", "tasks.get"),
    "download": ("runway", "outputs"),
}
_PAID = ("story", "picture", "edit", "speech", "submit")
# A status that no vendor documents as free, or a proxy's error page, after the call was charged.
# Excludes what the vendors document as never charged (their 4xx, 429 of both, 503 of OpenAI).
_PROVES_NOTHING = (
    *("302", "307", "408", "409", "425", "451", "500", "501", "502", "504"),
    *("520", "524", "529", "page_502", "page_503", "page_504"),
)
_SHEDS_LOAD = ("502", "503", "504")  # as Runway documents them
_WORDS = {"truncated": "cut body", "html": "HTML in 200", "empty": "empty 200"}


def cells() -> list[Cell]:
    """Return every cell, in the order of the table."""
    made = [
        *_paid(),
        *_status(),
        *_correction(),
        *_credit(),
        *_story(),
        *_picture(),
        *_task(),
        *_poll(),
        *_download(),
        *_s3(),
        *_sql(),
        *_gone(),
    ]
    # For an unknown outcome, policy `resubmit_once` repeats the call and flags it.
    return [one for cell in made for one in (cell, *_resubmitted(cell))]


def controls() -> list[Cell]:
    """Return cells at which a worker without the ledger's protocol pays twice."""
    chosen = {f"charged, then {how}" for how in ("500", "502", "hang", "reset")}
    return [cell for cell in cells() if cell.fault in chosen and cell.on_unknown == "fail"]


def _resubmitted(cell: Cell) -> Iterator[Cell]:
    if cell.required.resumed in (PARKED, ID_LOST):
        required = replace(
            cell.required,
            resumed=DONE,
            calls=cell.required.calls + 1,
            states=(*cell.required.states, "succeeded"),
            flagged=1,
        )
        if cell.comes_back:
            required = replace(required, first=DONE, resumed="", told=None)
        yield replace(cell, required=required, on_unknown="resubmit_once")


def _cell(
    fault: str,
    step: str,
    required: Required,
    mode: str,
    *,
    times: int | None = 1,
    **options: Any,
) -> Cell:
    vendor, endpoint = _ENDPOINTS[step]
    script = Script(vendor, endpoint, mode, times, options)
    strikes = (_passage(step, "hasty", times),) if mode.endswith("hang") else ()
    return Cell(fault, step, required, (script,), strikes)


def _passage(step: str, how: str, times: int | None = 1) -> Strike:
    """Return a strike at the step's call to its provider."""
    name = {"poll": "http GET runway", "download": "http GET media"}
    vendor, _ = _ENDPOINTS[step]
    return Strike(
        how, state=STEPS[step][1], name=name.get(step, f"http POST {vendor}"), times=times
    )


# -- paid calls ------------------------------------------------------------------------------------
def _paid() -> Iterator[Cell]:
    in_doubt = {
        "500": ("500", 0),
        "hang": ("hang", 0),
        "charged, then hang": ("charge_then_hang", 1),
        "reset": ("reset", 0),
        "charged, then reset": ("charge_then_reset", 1),
        "cut body": ("truncated", 1),
        "HTML in 200": ("html", 1),
        "empty 200": ("empty", 1),
    }
    for fault, (mode, calls) in in_doubt.items():
        for step in _PAID:
            known = step == "submit" and calls
            yield _cell(fault, step, COUNTED if known else parked(calls), mode)
    yield _cell("no id in 200", "submit", COUNTED, "missing_id")
    yield _cell("no id in 200", "story", HEALS, "missing_id")
    for step in _PAID:
        for mode in ("429", "503"):
            yield _cell(mode, step, HEALS, mode)
        for mode in ("502", "504"):  # load shedding by Runway; OpenAI does not document them
            required = HEALS if step == "submit" else parked(0)
            yield _cell(mode, step, required, mode, charged=False)
        yield _cell("429, Retry-After", step, HEALS, "429", retry_after=20)
        yield _cell("429, three times", step, HEALS, "429", times=3)
        yield _cell("slow", step, HEALS, "slow", seconds=0.3)
        nobody = _passage(step, "refused", 2)
        yield Cell("connection refused", step, HEALS, strikes=(nobody,))
        for mode, code in (("401", "key"), ("403", "forbidden"), ("413", "request")):
            yield _cell(mode, step, refused(f"provider.{code}"), mode)
        code = "provider.refused" if step == "submit" else "provider.model"
        yield _cell("404", step, refused(code), "404")


def _status() -> Iterator[Cell]:
    for mode in _PROVES_NOTHING:
        fault = f"charged, then {mode.replace('_', ' ')}"
        for step in _PAID:
            # Runway's job count shows that it was accepted, even after an error of the gateway.
            required = COUNTED if step == "submit" else parked(1)
            cell = _cell(fault, step, required, f"charge_then_{mode}")
            by_gateway = step == "submit" and mode.removeprefix("page_") in _SHEDS_LOAD
            yield replace(cell, comes_back=by_gateway)
    shed = _cell("charged, then 503", "submit", COUNTED, "charge_then_503")
    yield replace(shed, comes_back=True)


def _correction() -> Iterator[Cell]:
    """Strike the second call of a story, which follows a charged and unusable first response."""

    def second(fault: str, required: Required, mode: str, **options: Any) -> Cell:
        broken = Script("openai", "responses", "links", call=1)
        script = Script("openai", "responses", mode, 1, options, call=2)
        hasty = Strike("hasty", state="WriteStory", name="http POST openai", skip=1)
        strikes = (hasty,) if mode.endswith("hang") else ()
        return Cell(fault, "correction", required, (broken, script), strikes)

    for mode in (*_PROVES_NOTHING, "hang", "reset"):
        fault = f"charged, then {mode.replace('_', ' ')}"
        yield second(fault, parked(2), f"charge_then_{mode}")
    for fault in ("500", "hang", "reset"):
        yield second(fault, parked(1), fault)
    for fault in ("502", "504"):
        yield second(fault, parked(1), fault, charged=False)
    for fault, mode in (("cut body", "truncated"), ("HTML in 200", "html"), ("empty 200", "empty")):
        yield second(fault, parked(2), mode)
    for mode in ("429", "503"):
        yield second(mode, spoiled("story.not_corrected"), mode)
    for mode, code in (("401", "key"), ("403", "forbidden"), ("413", "request")):
        yield second(mode, spoiled(f"provider.{code}"), mode)


def _credit() -> Iterator[Cell]:
    for step in _PAID:
        out = refused("provider.credits")
        yield _cell("402", step, out, "402")
        mode = "no_credits" if step == "submit" else "quota"
        yield _cell("no credits (400, 429)", step, out, mode)
        if step != "submit":
            mode = "moderation_input"
            yield _cell("moderation of the input", step, refused("safety.input"), mode)
    for step in ("picture", "edit"):
        # OpenAI does not document whether filtered output is charged.
        held = Required("failed safety.output", DONE, 1, ("failed", "succeeded"))
        yield _cell("moderation of the output", step, held, "moderation_output")
    day = refused("provider.quota")
    yield Cell("daily limit (429)", "submit", day, settings={"daily_generations": 0})


# -- results of providers --------------------------------------------------------------------------
def _story() -> Iterator[Cell]:
    corrected = Required(DONE, calls=2)
    for mode in ("truncation", "reasoning_only", "links", "not_fitting"):
        fault = mode.replace("_", " ")
        yield _cell(fault, "story", corrected, mode)
        code = "truncated" if mode in ("truncation", "reasoning_only") else "invalid"
        twice = Required(f"failed story.{code}", DONE, 3, ("failed", "succeeded"), told=True)
        yield _cell(f"{fault}, twice", "story", twice, mode, times=2)
    yield _cell("commentary", "story", HEALS, "commentary")
    yield _cell("refusal", "story", spoiled("safety.input"), "refusal")
    yield _cell("content filter", "story", spoiled("safety.output"), "content_filter")
    # Failed with 200 and without usage: final, but a charge is not documented.
    failed = Required("failed provider.internal", DONE, 1, ("failed", "succeeded"))
    yield _cell("failed in 200", "story", failed, "failed")
    busy = "rate_limit_exceeded"
    failed = replace(failed, first="failed provider.unavailable")
    yield _cell("failed in 200, too busy", "story", failed, "failed", code=busy)


def _picture() -> Iterator[Cell]:
    for step in ("picture", "edit"):
        for mode in ("empty_data", "null_data", "null_b64"):
            fault = mode.replace("_", " ")
            yield _cell(fault, step, spoiled("provider.output"), mode)
        for mode in ("wrong_size", "not_a_picture"):
            fault = mode.replace("_", " ")
            yield _cell(fault, step, spoiled("image.unusable"), mode)


def _task() -> Iterator[Cell]:
    def born(fault: str, required: Required, mode: str, **options: Any) -> Cell:
        return replace(_cell(fault, "submit", required, mode, **options), step="poll")

    # Canceled before it started: free, and submitted again by a resume.
    late = Required("failed clip.timeout", DONE, 2, ("failed", "succeeded"), told=False)
    yield born("stuck PENDING", late, "stuck_pending")
    yield born("stuck THROTTLED", late, "stuck_throttled")
    # A running task is billed anyway: it is left running, and a resume waits for an hour in all.
    at_work = Required("failed clip.timeout", "failed clip.timeout", 1, ("submitted",))
    yield born("stuck RUNNING", at_work, "stuck_running")
    yield born("THROTTLED for a minute", HEALS, "throttled", seconds=60)
    yield born("unknown status for a minute", HEALS, "unknown_status", seconds=60)
    yield born("unknown status for ever", at_work, "unknown_status")
    back = delayed("clip.timeout")
    yield born("unknown status for half an hour", back, "unknown_status", seconds=1800)
    stays = Script("runway", "tasks.delete", "503", None)
    stuck = born("stuck PENDING, cancel fails", delayed("clip.timeout"), "stuck_pending")
    again = replace(late, first="failed clip.timeout", resumed="failed clip.timeout", told=None)
    again = replace(again, calls=1, states=("failed",))
    yield replace(stuck, required=again, scripts=(*stuck.scripts, stays))
    yield born("404 for a moment", HEALS, "late", seconds=20)
    gone = Required("failed provider.job_gone", "failed provider.job_gone", 1, ("unknown",))
    yield born("404 for ever", gone, "late", seconds=10**7)
    yield born("404 for ten minutes", delayed("provider.job_gone"), "late", seconds=600)
    # The task is running again when the video is resumed: the resume waits for it, even with policy
    # `resubmit_once`.
    running = born("404, then RUNNING", delayed("provider.job_gone"), "late", seconds=700, work=900)
    yield running
    yield replace(running, on_unknown="resubmit_once")
    for code, ours, told, often in (
        ("INTERNAL", "provider.internal", False, 2),
        ("INTERNAL.BAD_OUTPUT.CODE01", "clip.bad_output", False, 1),
        ("SAFETY.INPUT.IMAGE", "safety.input", True, 0),
        ("SAFETY.OUTPUT.VIDEO", "safety.output", True, 0),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", "safety.input", False, 0),
        ("INPUT_PREPROCESSING.INTERNAL", "provider.internal", False, 2),
        ("THIRD_PARTY.UNAVAILABLE", "provider.unavailable", False, 2),
        ("ASSET.INVALID", "provider.input", False, 0),
        ("SOMETHING.NEW", "provider.failed", False, 0),
        (None, "provider.internal", False, 2),
    ):
        fault, kept = f"FAILED {code or 'without a code'}", 10 if told else 0
        # What Runway documents as transient and free is submitted again automatically.
        for times in range(1, often + 1):
            ends = ("failed",) * times + ("succeeded",)
            heals = Required(DONE, calls=times + 1, states=ends)
            words = f"{fault}, {times} times"
            yield born(words, heals, "failed", code=code, credits=0, times=times)
        ends = ("failed",) * (often + 1) + ("succeeded",)
        enough = Required(f"failed {ours}", DONE, often + 2, ends, told)
        words = f"{fault}, {often + 1} times" if often else fault
        yield born(words, enough, "failed", code=code, credits=kept, times=often + 1)
        if often:  # billed, so the user decides
            billed = spoiled(ours, told=True)
            yield born(f"{fault}, billed", billed, "failed", code=code, credits=10)
    yield born("SUCCEEDED without output", spoiled("clip.output_lost"), "no_output")


def _poll() -> Iterator[Cell]:
    for mode in ("429", "500", "502", "503", "504", "520", "reset", "truncated", "html", "empty"):
        yield _cell(_WORDS.get(mode, mode), "poll", HEALS, mode)
    yield _cell("429, Retry-After", "poll", HEALS, "429", retry_after=20)
    yield _cell("429, three times", "poll", HEALS, "429", times=3)
    yield _cell("hang", "poll", HEALS, "hang")
    yield _cell("no id in 200", "poll", HEALS, "missing_id")
    yield _cell("slow", "poll", HEALS, "slow", seconds=0.3)
    yield _cell("unknown status once", "poll", HEALS, "unknown_status")
    yield _cell("401", "poll", delayed("provider.key"), "401")
    yield _cell("403", "poll", delayed("provider.forbidden"), "403")
    for mode in ("503", "500", "429"):
        yield _cell(f"{mode} for twenty minutes", "poll", HEALS, mode, times=17)
    yield _cell("503 for ever", "poll", delayed("provider.unreachable"), "503", times=None)
    nobody = _passage("poll", "refused", 2)
    yield Cell("connection refused", "poll", HEALS, strikes=(nobody,))


def _download() -> Iterator[Cell]:
    # Two polls see the task finished. If the output URL fails, a third one renews it.
    nowhere = Script("runway", "outputs", "404")
    for mode in ("unknown_status", "404", "503", "html"):
        script = Script("runway", "tasks.get", mode, call=3)
        fault = f"{_WORDS.get(mode, mode.replace('_', ' '))} for the link"
        yield Cell(fault, "download", HEALS, (nowhere, script))
    hidden = Script("runway", "tasks.get", "unknown_status", None, call=3)
    back = delayed("provider.job_hidden")
    yield Cell("unknown status for the link, for ever", "download", back, (nowhere, hidden))
    for mode in ("500", "502", "503", "429", "reset", "truncated", "html", "empty", "slow"):
        yield _cell(_WORDS.get(mode, mode), "download", HEALS, mode)
    most = MAX_COLLECTIONS - 1
    yield _cell("503 for eight minutes", "download", HEALS, "503", times=most)
    yield _cell("503 for ever", "download", delayed("provider.unreachable"), "503", times=None)
    yield _cell("hang", "download", HEALS, "hang")
    # A defective clip is fetched repeatedly, and again by a resume, before another one is
    # submitted.
    for mode, code in (
        ("404", "clip.output_lost"),
        ("403", "clip.output_lost"),
        ("expired", "clip.output_lost"),
        ("corrupt", "media.invalid"),
        ("short_clip", "media.invalid"),
        ("wrong_type", "provider.unreachable"),
    ):
        fault, told = mode.replace("_", " "), None if mode == "wrong_type" else True
        yield _cell(f"{fault} once", "download", HEALS, mode)
        yield _cell(f"{fault} for eight minutes", "download", HEALS, mode, times=most)
        yield _cell(f"{fault} for ever", "download", delayed(code, told), mode, times=None)
        if told:
            script = Script("runway", "outputs", mode, MAX_COLLECTIONS + 1)
            fault = f"{fault}, also for the resume"
            yield Cell(fault, "download", spoiled(code), (script,), stays=True)
    nobody = _passage("download", "refused", 2)
    yield Cell("connection refused", "download", HEALS, strikes=(nobody,))
    # The merge letterboxes a clip of another size.
    yield _cell("small clip for ever", "download", HEALS, "small_clip", times=None)
    yield _cell("oversize once", "download", HEALS, "oversize", megabytes=257)


# -- the store -------------------------------------------------------------------------------------
def _s3() -> Iterator[Cell]:
    def struck(fault: str, step: str, required: Required, name: str, how: str, **more: Any) -> Cell:
        times = more.pop("times", 1)
        strike = Strike(how, state=STEPS[step][1], name=f"s3 {name}", times=times)
        return Cell(f"S3 {fault}", step, required, strikes=(strike,))

    places = (
        ("picture", "PUT reference"),
        ("picture", "PUT receipts"),
        ("story", "PUT receipts"),
        ("edit", "GET reference"),
        ("edit", "PUT reference"),
        ("submit", "GET reference"),
        ("submit", "PUT receipts"),
        ("download", "PUT"),
        ("merge", "GET"),
        ("merge", "PUT"),
        ("finish", "PUT"),  # of the provenance record: the video is finished already
    )
    gone, broken = delayed("storage.not_found"), delayed("merge.broken_clip")
    no = delayed("storage.refused")
    for step, name in places:
        for how in ("503", "500"):
            yield struck(f"{how}: {name}", step, HEALS, name, f"s3_{how}")
        yield struck(f"hang: {name}", step, HEALS, name, "s3_hang")
        yield struck(f"refused connection: {name}", step, HEALS, name, "refused")
        yield struck(f"503 six times: {name}", step, HEALS, name, "s3_503", times=6)
        if name.startswith("GET"):
            yield struck(f"cut body: {name}", step, HEALS, name, "s3_cut")
            missing = broken if step == "merge" else gone
            yield struck(f"403: {name}", step, missing, name, "s3_403")
            yield struck(f"404: {name}", step, missing, name, "s3_404")
        elif step == "finish":
            yield struck(f"403: {name}", step, HEALS, name, "s3_403")
            yield struck(f"503 for ever: {name}", step, HEALS, name, "s3_503", times=None)
        elif name == "PUT receipts":  # the database has the result first
            yield struck(f"403: {name}", step, HEALS, name, "s3_403")
        elif name == "PUT reference":  # the image was paid for and is stored nowhere
            yield struck(f"403: {name}", step, spoiled("storage.refused"), name, "s3_403")
            lost = spoiled("storage.unavailable")
            yield struck(f"503 for ever: {name}", step, lost, name, "s3_503", times=None)
        else:
            yield struck(f"403: {name}", step, no, name, "s3_403")
            down = delayed("storage.unavailable")
            yield struck(f"503 for ever: {name}", step, down, name, "s3_503", times=None)


# -- the database ----------------------------------------------------------------------------------
def _sql() -> Iterator[Cell]:
    hows = {
        "SQL down at connect": ("refused", "sql connect"),
        "SQL too many connections": ("sql_53300", "sql connect"),
        "SQL dead socket": ("cut", "sql SELECT"),
        "SQL shut down": ("sql_57P01", "sql SELECT"),
        "SQL read-only": ("sql_25006", "sql UPDATE"),
        "SQL deadlock": ("sql_40P01", "sql UPDATE"),
        "SQL serialization": ("sql_40001", "sql UPDATE"),
        "SQL commit cut": ("cut", "sql commit"),
        "SQL commit's answer lost": ("lost", "sql commit"),
    }
    connects = ("story", "merge", "finish")  # where a cold function connects
    writes = {"merge": "sql INSERT", "finish": "sql WITH"}
    for fault, (how, name) in hows.items():
        for step, (_, state) in STEPS.items():
            if step == "correction" or (name == "sql connect" and step not in connects):
                continue
            where = writes.get(step, name) if name == "sql UPDATE" else name
            yield Cell(fault, step, HEALS, strikes=(Strike(how, state=state, name=where, times=2),))
    # After the call: the paid result is stored with retries.
    for step in _PAID:
        for fault, how in (
            ("SQL dead socket", "cut"),
            ("SQL read-only", "sql_25006"),
            ("SQL deadlock", "sql_40P01"),
        ):
            settle = Strike(how, state=STEPS[step][1], name="sql UPDATE provider_jobs", times=3)
            yield Cell(f"{fault} after the call", step, HEALS, strikes=(settle,))


def _gone() -> Iterator[Cell]:
    """A dependency is unavailable for longer than a function retries."""
    for step in _PAID:
        vendor, state = _ENDPOINTS[step][0], STEPS[step][1]
        paid = f"http POST {vendor}"
        unsettled = Strike("cut", state=state, name="sql UPDATE provider_jobs", times=None)
        silent = Strike("s3_503", state=state, name="s3 PUT receipts", times=None)
        down = Strike("cut", state=state, name="sql", after=paid, times=None)
        kept = delayed("ledger.unsettled", told=True)
        yield Cell("SQL does not settle", step, kept, strikes=(unsettled,))
        crashed = delayed("step.crashed")
        yield Cell("SQL gone after the call", step, crashed, strikes=(down,))
        end = ID_LOST if step == "submit" else PARKED
        lost = Required("failed step.crashed", end, 1, ("unknown",))
        yield Cell("SQL and S3 gone after the call", step, lost, strikes=(down, silent))
    # The first secret is that of the database.
    keys = Strike("refused", state="WriteStory", name="http POST secrets", skip=1, times=2)
    yield Cell("secret of the keys unreachable twice", "story", HEALS, strikes=(keys,))
    never = replace(keys, times=None)
    yield Cell(
        "secret of the keys unreachable for ever",
        "story",
        refused("secrets.unavailable"),
        strikes=(never,),
    )


def rows(chosen: Sequence[Cell]) -> list[str]:
    """Return the faults in order of first occurrence."""
    return list(dict.fromkeys(cell.fault for cell in chosen))
