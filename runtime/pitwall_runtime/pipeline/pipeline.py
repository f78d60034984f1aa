"""Answers a question about a video: all stages in order, on one page."""

import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from pitwall_crds.names import Arm
from pitwall_crds.variant.builtin import unmet_needs
from pitwall_crds.variant.variant import AnswerEngine, SamplerVariant
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadVariantError, SamplerHangsError
from pitwall_runtime.media import WHOLE, FramePool, PoolSpec, Selection, Stretch, Video, VisualTokens
from pitwall_runtime.pipeline.asked import AskedQuestion, Result
from pitwall_runtime.pipeline.excerpt import Excerpt
from pitwall_runtime.pipeline.frame_model import EngineModel
from pitwall_runtime.pipeline.prepare import PoolSource, Preparation, Told
from pitwall_runtime.pipeline.question_features import QuestionFeatures
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.sub_questions import parts
from pitwall_runtime.pipeline.telemetry import CacheLookups, RuntimeTelemetry
from pitwall_runtime.samplers import catalogue as samplers
from pitwall_runtime.samplers.catalogue import BoundSampler
from pitwall_runtime.samplers.contract import Allowance, SamplerContext, Signals
from pitwall_runtime.stages.answer import catalogue as engines
from pitwall_runtime.stages.answer.moments import group
from pitwall_runtime.stages.answer.port import Brief, Evidence
from pitwall_runtime.stages.decode import catalogue as decoders
from pitwall_runtime.stages.encode import catalogue as encoders
from pitwall_runtime.stages.encode.pool import EncoderPool
from pitwall_runtime.stages.encode.questions import QuestionStore
from pitwall_runtime.stages.reduce import build as build_reducer
from pitwall_runtime.stages.segment.segment import detection_of
from pitwall_runtime.stores.embeddings.embed_cache import EmbedCache
from pitwall_runtime.stores.embeddings.packing import row_bytes
from pitwall_runtime.stores.files.eviction import EntryKind
from pitwall_runtime.stores.frames.disk import DiskFrameStore
from pitwall_runtime.stores.frames.memory import MemoryFrameStore, SpillingFrameStore
from pitwall_runtime.stores.frames.shared_frames import SharedFrameStore
from pitwall_runtime.stores.makers import made_by

_STEP_FRAMES = 512
_STEP_BYTES = 32 << 20  # of embeddings, for each tier: an eighth of what may wait to be sent


class Pipeline:
    """One variant's chassis: everything but the sampler is the same in every variant."""

    def __init__(
        self,
        variant: SamplerVariant,
        cache_dir: Path,
        telemetry: RuntimeTelemetry,
        resources: PipelineResources | None = None,
    ) -> None:
        """Raises BadVariantError."""
        spec, resources = variant.spec, resources or PipelineResources.alone(cache_dir)
        quota, shared = resources.quota, resources.shared
        self._spec, self._telemetry = spec, telemetry
        telemetry.watch(quota)
        self._sampler = samplers.build(spec.sampler)
        self._reduce = build_reducer(spec.reducer.name)
        backend = spec.decode.backend
        maker = f"{backend}-{made_by(backend, resources.shots)}"
        pool_spec = PoolSpec(spec.decode.frames_per_minute, spec.decode.height_pixels, maker=maker)
        self._pool_tiers = (PoolSource.DISK, PoolSource.OBJECTS) if shared and shared.objects else (PoolSource.DISK,)
        disk = DiskFrameStore(cache_dir / EntryKind.FRAMES, quota)
        self.store = SpillingFrameStore(SharedFrameStore(disk, shared) if shared else disk, MemoryFrameStore())
        decoders.build(backend)  # a decoder that cannot run here is known before the first question
        self.preparation = Preparation(
            self.store,
            cache_dir / "locks",
            pool_spec,
            backend=backend,
            memory=resources.decode_memory,
            detection=detection_of(resources.shots),
        )
        self._cache = EmbedCache(cache_dir / EntryKind.EMBEDDINGS, quota, hot_bytes=resources.hot_bytes, shared=shared)
        encoder = encoders.build(spec.encoder, cache_dir)
        vectors = cache_dir / EntryKind.QUESTIONS / f"{encoder.key}-{made_by()}"
        questions = QuestionStore.opened(vectors, quota.grow)
        self.encoders = EncoderPool(encoder, spec.encoder.batch_size, telemetry.encoder_busy, questions)
        self._engine = engines.build(spec.answer, cache_dir)
        self._refuse_unmet(self._sampler)
        self.encoders.text("warm up")

    @property
    def waits(self) -> bool:
        """Whether choosing mostly waits for a model, and so needs no place among those that compute."""
        return self._sampler.sampler.is_async

    @property
    def hanging(self) -> int:
        """How many choices hang, each with a thread that nobody can end."""
        return self._sampler.guard.hanging

    def answer(
        self,
        video: Video,
        question: str,
        arm: str,
        *,
        deadline: Deadline | None = None,
        ingest_seconds: float = 0.0,
        stretch: Stretch = WHOLE,
    ) -> Result:
        """ingest ▶ [decode ▶ frame store ▶ segment] ▶ SAMPLER ▶ [encode ▶ embed cache] ▶ reduce ▶ answer.

        `deadline` holds for all of them together; `ingest_seconds` is what bringing the video here took; `stretch` is
        what of the video is asked about. Raises a RefusedError: TooLateError at the deadline, BadQuestionError for a
        stretch behind the video's end, otherwise what the stages raise.
        """
        with self.begin(
            video, question, arm, deadline=deadline, ingest_seconds=ingest_seconds, stretch=stretch
        ) as asked:
            return self.finish(asked, self.choose(asked))

    def begin(
        self,
        video: Video,
        question: str,
        arm: str,
        *,
        deadline: Deadline | None = None,
        ingest_seconds: float = 0.0,
        stretch: Stretch = WHOLE,
    ) -> AskedQuestion:
        """`answer` up to the sampler. Whoever begins closes what is kept for the question: `with` does."""
        deadline = deadline or Deadline()
        stages = {"ingest": ingest_seconds}
        with ExitStack() as using:
            with _timed(stages, "prepare"):
                is_stored = self.preparation.is_stored(video, stretch)
                deadline.preparing = not is_stored
                pool = using.enter_context(self._held(video, deadline, stretch, arm))
                deadline.preparing = False
                excerpt = Excerpt.of(pool, stretch)
                features = using.enter_context(self._features(pool, question, arm, deadline))
            subtitles = pool.subtitles if video.subtitles is None else video.subtitles
            return AskedQuestion(question, excerpt, subtitles, features, stages, using.pop_all())

    @contextmanager
    def _held(self, video: Video, deadline: Deadline, stretch: Stretch, arm: str) -> Iterator[FramePool]:
        """The question's pool, with a word to the metrics of where it came from; what cannot be decoded was nowhere."""
        sources: list[PoolSource] = []
        with ExitStack() as using:
            try:
                held = self.preparation.held(video, deadline, stretch=stretch, came_from=sources.append)
                pool = using.enter_context(held)
            finally:
                self._telemetry.frames(arm, self._pool_tiers, sources[0] if sources else PoolSource.DECODED)
            yield pool

    def prepare(self, video: Video, deadline: Deadline, told: Told = lambda _: None) -> Iterator[tuple[float, float]]:
        """Everything that a question would wait for: pool, shots and all embeddings. `told` hears of frames decoded.

        Yields after each step the video's seconds and the share of its frames that is embedded, 0 to 1. Raises what
        `answer` raises; what is done stays done.
        """
        with (
            self.preparation.held(video, deadline, told, for_others=True) as pool,
            self._features(pool, "", "", deadline) as features,
        ):
            yield pool.seconds(len(pool)), 0.0
            step = max(1, min(_STEP_FRAMES, _STEP_BYTES // row_bytes(self.encoders.encoder.shape)))
            for start in range(0, len(pool), step):
                end = min(start + step, len(pool))
                features.provide(range(start, end))
                self._cache.make_room(deadline)
                yield pool.seconds(len(pool)), end / len(pool)
            self._cache.settle(deadline)

    def choose(self, asked: AskedQuestion, sampler: BoundSampler | None = None) -> Selection:
        """The sampler's part, the variant's own or another one; one that `waits` leaves the processor to others.

        Raises what the encoder and the sampler raise, and BadVariantError for another sampler that needs more.
        """
        if sampler:
            self._refuse_unmet(sampler)
        deadline = asked.features.deadline
        deadline.check()
        with _timed(asked.stages, "select"):
            try:
                selection = (sampler or self._sampler).choose(self._context(asked))
            except SamplerHangsError:
                deadline.check()  # cut off by the question's deadline, not by the sampler's allowance
                raise
        # A sampler that asks for scores may have caused encoding: that is the encoder's time, not the sampler's.
        asked.stages["select"] -= asked.features.encode_seconds
        return asked.excerpt.selected(selection)

    def finish(self, asked: AskedQuestion, selection: Selection) -> Result:
        """`answer` from the chosen frames on."""
        pool, features, stages = asked.pool, asked.features, asked.stages
        with _timed(stages, "score"):
            evidence = _evidence(features, selection)
        with _timed(stages, "reduce"):
            tokens = self._reduce(
                features.grids_of(selection.indices), self._spec.reducer.token_budget, selection.tiers
            )
        with _timed(stages, "answer"):
            answer = self._engine.answer(self._brief(features.question, features, evidence, tokens))
        stages["encode"] = features.encode_seconds
        prompt_tokens = tokens.count + _words(features.question)
        self._telemetry.question(
            features.arm,
            stages,
            tokens.count,
            CacheLookups(features.hits, features.misses, features.remembered, features.brought),
        )
        cold = features.misses > 0
        return Result(answer, pool, selection, tokens.count, prompt_tokens, stages, cold)

    @contextmanager
    def _features(self, pool: FramePool, question: str, arm: str, deadline: Deadline) -> Iterator[QuestionFeatures]:
        encoder = self.encoders.encoder
        lock = self.preparation.lock_of(pool.video_hash, pool.spec)
        with self._cache.opened(pool, encoder.key, encoder.shape) as rows:
            yield QuestionFeatures(pool, rows, self.encoders, self.store.jpeg, lock, question, arm, deadline)

    def _refuse_unmet(self, sampler: BoundSampler) -> None:
        """Raises BadVariantError if the sampler cannot do without something that this variant does not have."""
        declared = sampler.sampler
        problems = list(unmet_needs(declared.name, declared.needs, has_model=self._engine.sees_frames))
        if problems:
            raise BadVariantError("; ".join(problems))

    def _context(self, asked: AskedQuestion) -> SamplerContext:
        excerpt, features, question = asked.excerpt, asked.features, asked.question
        edges = excerpt.edges_seconds()
        limits = self._spec.sampler.allowance
        return SamplerContext(
            pts_seconds=edges[:-1],
            durations_seconds=np.diff(edges),
            shots=excerpt.shots(),
            question=question,
            max_frames=self._spec.max_frames,
            seed=zlib.crc32(f"{excerpt.pool.video_hash}\n{question}".encode()),
            features=excerpt.features(features),
            sub_questions=parts(question),
            signals=Signals(excerpt.key_frames(), excerpt.captions(asked.subtitles)),
            allowance=Allowance(
                milliseconds=features.deadline.within(limits.milliseconds / 1000) * 1000,
                model_calls=limits.model_calls,
                scored_frames=limits.scored_frames or None,
            ),
            model=excerpt.model(self._model(features)),
        )

    def _model(self, features: QuestionFeatures) -> EngineModel | None:
        """The answer engine, for samplers that ask about frames; None where it sees none."""
        tokens = max(1, self._spec.reducer.token_budget // self._spec.max_frames)
        return EngineModel(self._engine, features, self.store.jpeg, tokens) if self._engine.sees_frames else None

    def _brief(
        self, question: str, features: QuestionFeatures, evidence: list[Evidence], tokens: VisualTokens
    ) -> Brief:
        def jpegs() -> list[bytes]:
            return [self.store.jpeg(features.pool, frame.index) for frame in evidence]

        return Brief(question, evidence, group(evidence), jpegs, tokens.per_frame, features.deadline)


def preparing_pipeline(variant: SamplerVariant, cache_dir: Path, resources: PipelineResources) -> Pipeline:
    """A pipeline that only prepares: no language model is loaded. Raises BadVariantError."""
    silent = variant.spec.answer.model_copy(update={"engine": AnswerEngine.MOMENTS})
    preparing = variant.model_copy(update={"spec": variant.spec.model_copy(update={"answer": silent})})
    telemetry = RuntimeTelemetry(variant.metadata.name, Arm.STABLE)
    return Pipeline(preparing, cache_dir, telemetry, resources)


def _evidence(features: QuestionFeatures, selection: Selection) -> list[Evidence]:
    """The chosen frames with times, shots, scores and labels, in time order."""
    pool = features.pool
    scores = features.scores(selection.indices)
    return [
        Evidence(
            index=index,
            seconds=pool.seconds(index),
            end_seconds=pool.seconds(index + 1),
            shot=pool.shot_of(index).start,
            score=float(score),
            labels=labels,
        )
        for index, score, labels in zip(selection.indices, scores, features.labels_of(selection.indices), strict=True)
    ]


def _words(question: str) -> int:
    return len(question.split())


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    stages[stage] = time.perf_counter() - started
