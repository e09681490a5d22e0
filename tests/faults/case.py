"""A case: a video of two scenes with paid models, its executions, and their judgement.

The reference is the vendors' charge books. For each step (story, image, clip and narration of a
scene) the charged calls are compared with the attempts in the ledger:

paid twice   more calls than attempts that the ledger records as accepted or possibly accepted; or
             two attempts with a result; or an unflagged attempt after an unknown one
lost         an attempt that the ledger records as paid and the charge books do not contain
stuck        a run that has not ended
off          the cost of known outcomes in the ledger, less the charges (USD); a failed call
             counts with its estimate if its charge is unknown
too fast     polls of a task within the interval of its vendor
spend        the amounts charged to the caps, less the ledger's costs, and remaining reservations
orphans      objects of the video in S3 that no row references
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from common.application import remaining_work
from common.application.model_selection import models_of
from common.database import Cursor, budget, narrations, runs, scenes, videos
from common.database.budget import Caps
from common.domain import ids, models
from common.domain.video import WHOLE
from common.storage import MediaFolder
from tests.faults.machine import Machine, TaskFailed
from tests.faults.ports import Strike
from tests.faults.workers import Crew
from tests.faults.world import BUCKET, Lane
from tests.stand_ins import runway
from tests.stand_ins.charge_book import Charge
from tests.support.rows import video_record

SCENES, SECONDS, RATIO = 2, 2, "1280:720"
STEPS = 1 + 2 * SCENES  # plus one for each scene of a narrated video
# Rate limits and jobs of earlier cases have expired after this time.
_DAYS = 73 * 3600.0
_SWEEP_SECONDS = 3600.0
_LEASE_SECONDS = 600.0  # longer than any lease
_CREDIT_USD = Decimal("0.01")
_ROUNDED = Decimal("0.00001")  # rounding of two sides; no call costs as little
_KINDS = {"responses": "story", "image_to_video": "clip", "chat.completions": "speech"}
_GOOD = ("submitted", "succeeded")
_ACCEPTED = (*_GOOD, "failed")
_UNSURE = ("unknown", "submitting")

# Moves all timestamps of a video back, which simulates the passage of time.
_LATER = (
    """
    UPDATE provider_jobs
    SET lease_until = lease_until - %(seconds)s * interval '1 second',
        slot_until = slot_until - %(seconds)s * interval '1 second',
        polled_at = polled_at - %(seconds)s * interval '1 second',
        updated_at = updated_at - %(seconds)s * interval '1 second',
        collector_until = collector_until - %(seconds)s * interval '1 second',
        created_at = created_at - %(seconds)s * interval '1 second'
    WHERE session_id = %(video)s
    """,
    "UPDATE provider_gates SET closed_until = closed_until - %(seconds)s * interval '1 second'",
)

Step = tuple[str, int]


@dataclass(frozen=True)
class Judgement:
    """The findings about a video (see the module)."""

    paid_twice: int
    lost: int
    flagged: int
    unsure: int
    stuck: bool
    too_fast: int
    off: Decimal
    spend: tuple[Decimal, Decimal]
    orphans: tuple[str, ...]
    calls: dict[Step, int]
    states: dict[Step, tuple[str, ...]]

    @property
    def unsound(self) -> dict[str, object]:
        """The defects that are wrong for every outcome."""
        off = 0 if self.unsure or abs(self.off) < _ROUNDED else self.off
        found = {
            "paid twice": self.paid_twice,
            "lost": self.lost,
            "stuck": self.stuck,
            "orphans": self.orphans,
            "too fast": self.too_fast,
            "off": off,
            "spend": any(self.spend) and not self.stuck and self.spend,
        }
        return {name: value for name, value in found.items() if value}


class Case:
    """A video in a lane. `ended` is its status, with the code of an error: `failed run.stopped`."""

    def __init__(
        self, lane: Lane, *, on_unknown: str = "fail", naive: bool = False, narrated: bool = False
    ) -> None:
        self.lane = lane
        self.naive = naive
        self.passed: list[str] = []
        self._ahead = 0.0
        self._too_fast = len(runway.too_fast(lane.runway))
        paid = models.paid(narrated=narrated)
        row = video_record(
            user_id=f"lane{lane.number}",
            frame_count=SCENES,
            clip_seconds=SECONDS,
            on_unknown=on_unknown,
            text_provider=paid.text.provider,
            text_model=paid.text.model,
            image_provider=paid.image.provider,
            image_model=paid.image.model,
            video_provider=paid.video.provider,
            video_model=paid.video.model,
            speech_provider=paid.speech.provider if paid.speech else None,
            speech_model=paid.speech.model if paid.speech else None,
            output={"narration": {}} if narrated else {},
            original_prompt="A paper boat crosses a pond",
            estimated_usd=paid.estimate_usd(
                scenes=SCENES, seconds=SECONDS, ratio=RATIO, reference=False
            ),
            ratio=RATIO,
            key_id=ids.new("key"),  # a key for this case, so that its caps are independent
        )
        self.video_id, self.key_id = row.session_id, row.key_id
        self.folder = MediaFolder(row.user_id, row.session_id)
        self.run_id = ids.new("run")
        lane.runway.advance(_DAYS)
        # Read after the wait: tasks of earlier cases that fail until then are refunded before.
        self._charged = {v: len(v.bookings()) for v in (lane.openai, lane.runway)}
        with lane.database.transaction() as cursor:
            cursor.execute(
                "UPDATE provider_jobs SET created_at = created_at - %s * interval '1 second'",
                (_DAYS,),
            )
            videos.insert(cursor, row)
            self._insert_run(cursor, "create", row.estimated_usd)

    # -- actions -----------------------------------------------------------------------------------
    def execute(self, *strikes: Sequence[Strike]) -> str:
        """Run an execution of the open run to its end; return the status of the video.

        The first strikes are for the first worker, the next ones for its successor.
        """
        crew = Crew(self.lane.forge, list(strikes), self.naive)

        def invoke(state: str, function: str, event: dict[str, Any], execution: str = "") -> Any:
            answer, ahead = crew.invoke(
                state, function, event, ahead=self._ahead, execution=execution
            )
            self.sleep(ahead - self._ahead)
            return answer

        try:
            status = Machine(invoke, self.sleep).run(
                {"run_id": self.run_id, "video_id": self.video_id}
            )
            if self.video.status in ("queued", "running"):
                ended = {"detail": {"name": self.run_id}}
                try:
                    invoke("(swept)", "sweeper", ended, status)
                except TaskFailed:  # the next sweep repeats it
                    invoke("(swept)", "sweeper", ended, status)
        finally:
            crew.close()
            self.passed = crew.passed
        return self.ended

    def resume(self, *strikes: Sequence[Strike]) -> str:
        """Wait until all leases expire, resume as the API does, and run; return the status."""
        self.sleep(_LEASE_SECONDS)
        self.run_id = ids.new("run")
        with self.lane.database.transaction() as cursor:
            video = videos.get(cursor, self.video_id)
            assert runs.unfinished_target(cursor, self.video_id) == (WHOLE, {})
            again = video.on_unknown == "resubmit_once"
            left = remaining_work.estimate_remaining(
                cursor, video, WHOLE, models_of(video), again=again
            )
            self._insert_run(cursor, "resume", left.missing_usd)
        return self.execute(*strikes)

    def sweep(self, *strikes: Sequence[Strike]) -> str:
        """Advance the clock by an hour and run the sweeper; return the status of the video."""
        self.sleep(_SWEEP_SECONDS)
        crew = Crew(self.lane.forge, list(strikes), self.naive)
        try:
            _, ahead = crew.invoke("(swept)", "sweeper", {}, ahead=self._ahead, execution="FAILED")
            self.sleep(ahead - self._ahead)
        except TaskFailed:  # the next sweep repeats it
            pass
        finally:
            crew.close()
            self.passed = crew.passed
        return self.ended

    def _insert_run(self, cursor: Cursor, kind: str, usd: Decimal) -> None:
        budget.reserve(cursor, Caps(self.key_id, None, None, None), usd)
        runs.insert(cursor, self.run_id, self.video_id, kind, usd)

    def sleep(self, seconds: float) -> None:
        """Advance the clocks of the vendors, the workers and the database."""
        if seconds <= 0:
            return
        self._ahead += seconds
        self.lane.runway.advance(seconds)
        with self.lane.database.transaction() as cursor:
            for change in _LATER:
                cursor.execute(change, {"seconds": seconds, "video": self.video_id})

    @property
    def video(self) -> videos.Video:
        """The current row of the video."""
        with self.lane.database.transaction() as cursor:
            return videos.get(cursor, self.video_id)

    @property
    def ended(self) -> str:
        """The status of the video, with the code of a failure."""
        video = self.video
        return f"{video.status} {video.error['code'] if video.error else ''}".strip()

    # -- judgement ---------------------------------------------------------------------------------
    def judge(self) -> Judgement:
        """Compare the vendors' charge books with the ledger."""
        ledger, charges = self.ledger(), self.charges()
        calls = Counter(step for step, charge in charges if charge.kind != "refund")
        states: dict[Step, tuple[str, ...]] = {}
        twice = lost = 0
        unsaid = Decimal(0)
        for step in sorted({*calls, *((row["kind"], row["scene"]) for row in ledger)}):
            rows = [row for row in ledger if (row["kind"], row["scene"]) == step]
            states[step] = tuple(row["state"] for row in rows)
            accepted = sum(row["state"] in _ACCEPTED for row in rows)
            unsure = sum(row["state"] in _UNSURE for row in rows)
            # A story may be corrected by a second, different request; the attempt's cost includes
            # both. Two equal requests are a duplicate call.
            equal = Counter(charge.fingerprint for of, charge in charges if of == step)
            charged = max(equal.values(), default=0) if step[0] == "story" else calls[step]
            surplus = charged - accepted - unsure
            good = sum(row["state"] in _GOOD for row in rows)
            unflagged = sum(
                earlier["state"] in _UNSURE and not later["possible_duplicate"]
                for earlier, later in pairwise(rows)
            )
            failed = [row for row in rows if row["state"] == "failed"]
            if calls[step] < accepted and failed:
                unsaid += failed[-1]["actual_usd"]
            twice += max(surplus, good - 1, unflagged, 0)
            lost += sum(row["state"] in _GOOD for row in rows) > calls[step]
        return Judgement(
            paid_twice=twice,
            lost=lost,
            flagged=sum(row["possible_duplicate"] for row in ledger),
            unsure=sum(row["state"] in _UNSURE for row in ledger),
            stuck=self.video.status in ("queued", "running"),
            too_fast=len(runway.too_fast(self.lane.runway)) - self._too_fast,
            off=_off(ledger, [charge for _, charge in charges]) - unsaid,
            spend=self._spend(),
            orphans=self._orphans(),
            calls=dict(calls),
            states=states,
        )

    def ledger(self) -> list[dict[str, Any]]:
        """Return the ledger's rows of the video."""
        with self.lane.database.transaction() as cursor:
            cursor.execute(
                "SELECT kind, scene, attempt, state, code, token, possible_duplicate, "
                "COALESCE(actual_usd, CASE WHEN state = 'submitted' THEN estimated_usd END) "
                "AS actual_usd "
                "FROM provider_jobs WHERE session_id = %s ORDER BY id",
                (self.video_id,),
            )
            return [dict(row) for row in cursor.fetchall()]

    def charges(self) -> list[tuple[Step, Charge]]:
        """Return the charges since the start of the case, with their steps."""
        with self.lane.database.transaction() as cursor:
            frames = scenes.images(cursor, self.video_id)
            narration_texts = {
                n: narration.text
                for n, narration in narrations.of_video(cursor, self.video_id).items()
            }
        texts = {
            f.frame_number: (f.prompt, f.motion_prompt, narration_texts.get(f.frame_number))
            for f in frames
        }
        step_charges = []
        for vendor, before in self._charged.items():
            for charge in vendor.bookings()[before:]:
                scene = next(
                    (n for n, sent in texts.items() if any(t and t in charge.prompt for t in sent)),
                    0,
                )
                kind = _KINDS.get(_origin(charge), "image")
                step_charges.append(((kind, 0 if kind == "story" else scene), charge))
        return step_charges

    def _spend(self) -> tuple[Decimal, Decimal]:
        with self.lane.database.transaction() as cursor:
            cursor.execute(
                "SELECT spent_usd, reserved_usd FROM spend WHERE scope = %s",
                (self.key_id,),
            )
            month, day = cursor.fetchall()
            assert month == day
            counted = budget.committed_usd(cursor, self.video_id)
        return day["spent_usd"] - counted, day["reserved_usd"]

    def _orphans(self) -> tuple[str, ...]:
        if self.video.status != "succeeded":
            return ()  # finished objects are kept for a resume
        receipts = {self.folder.receipt(row["token"]) for row in self.ledger()}
        with self.lane.database.transaction() as cursor:
            final = videos.final(cursor, self.video_id)
            assert final is not None
            known = {
                *(file["key"] for file in final.files),
                self.folder.provenance(final.version),
                *(frame.image_key for frame in scenes.images(cursor, self.video_id)),
                *(clip.video_key for clip in scenes.clips(cursor, self.video_id)),
                *(n.audio_key for n in narrations.of_video(cursor, self.video_id).values()),
                *receipts,
            }
        prefix = f"{self.folder.user_id}/{self.video_id}/"
        listed = self.lane.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
        return tuple(item["Key"] for item in listed if item["Key"] not in known)


def _origin(charge: Charge) -> str:
    return charge.kind if charge.kind != "refund" else "image_to_video"


def _off(rows: list[dict[str, Any]], charges: list[Charge]) -> Decimal:
    """Return the cost in the ledger less the charges."""
    counted = sum((row["actual_usd"] or Decimal(0) for row in rows), Decimal(0))
    for charge in charges:
        counted -= charge.amount * (_CREDIT_USD if charge.unit == "credits" else 1)
    return counted
