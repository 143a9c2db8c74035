"""What an experiment may say about training."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from palimpsest.core.schedules import SCHEDULES
from palimpsest.models.options import ClassifierOptions, FeatureGANOptions


class TrainingOptions(BaseModel):
    """How each phase descends. `steps` and `epochs` exclude each other; one of them is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    steps: int = Field(0, ge=0, description="optimizer steps of each task")
    epochs: int = Field(0, ge=0, description="passes over the task's data; the short last batch is kept")
    batch: int = Field(32, ge=1, description="real pictures a step, all processes together; replay adds as many again")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="its state is cleared at each task")
    learning_rate: float = Field(2e-4, gt=0, description="after the warm-up")
    weight_decay: float = Field(0.0, ge=0, description="decoupled for adamw")
    betas: tuple[float, float] = Field((0.9, 0.999), description="of adam and adamw")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    keep_optimizer_state: bool = Field(False, description="carry the optimizer's state over to the next phase and task")
    schedule: Literal[SCHEDULES] = Field("constant", description="of the learning rate")
    warmup_steps: int = Field(0, ge=0, description="steps of linear warm-up, for warmup and cosine")
    milestones: tuple[float, ...] = Field((0.5, 0.75), description="shares of a phase after which step lowers the rate")
    decay: float = Field(0.1, gt=0, le=1, description="by which step multiplies the rate")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm; 0 does not clip")
    average: float = Field(0.0, ge=0, lt=1, description="decay of the average of the weights (EMA); 0 keeps none")
    keep_average: bool = Field(
        False, description="a phase that begins with a teacher's weights goes on with its average, where it keeps both"
    )
    teacher_weights: Literal["raw", "average"] = Field("raw", description="which weights the next teacher carries")

    @model_validator(mode="after")
    def one_length(self) -> "TrainingOptions":
        if bool(self.steps) == bool(self.epochs):
            raise ValueError(f"give either steps or epochs (found steps = {self.steps}, epochs = {self.epochs})")
        if self.teacher_weights == "average" and not self.average:
            raise ValueError('teacher_weights = "average" needs an average: set training.average, for example 0.999')
        if self.keep_average and not self.average:
            raise ValueError("keep_average needs an average: set training.average, for example 0.999")
        return self


PUBLISHED_CLASSIFIER = {"batch": 128, "learning_rate": 1e-3, "clip_norm": 0.0}  # arXiv 2311.14028, published code


PUBLISHED_GAN = {
    "batch": 128,
    "learning_rate": 1e-4,
    "betas": (0.5, 0.999),
    "clip_norm": 0.0,
}  # arXiv 2004.09199, published code


def completed(given: Any, published: dict[str, Any], **length: int) -> Any:
    """What is said of training, and what is published of the rest; `length` where none is said."""
    if not isinstance(given, dict):
        return given
    return published | ({} if {"steps", "epochs"} & given.keys() else length) | given


class ClassifierTable(ClassifierOptions):
    """A classifier, and how it is trained: beside a generator, or as a learner of the strategy."""

    strategy: str = Field(
        "none",
        description="trains one beside a generator, before it in each task. none: does not; auto: joint beside joint, "
        "finetune beside finetune, generative_replay_classifier beside all others; or the name of a strategy",
    )
    training: TrainingOptions = Field(
        TrainingOptions(epochs=20, **PUBLISHED_CLASSIFIER),
        description="how it descends; what is left out is as published: 20 epochs, batch 128, Adam at 1e-3, unclipped",
    )

    @field_validator("training", mode="before")
    @classmethod
    def as_published(cls, given: Any) -> Any:
        return completed(given, PUBLISHED_CLASSIFIER, epochs=20)


class FeatureGANTable(FeatureGANOptions):
    """A generator of features, and how it is trained."""

    training: TrainingOptions = Field(
        TrainingOptions(steps=2000, **PUBLISHED_GAN),
        description="how it descends; what is left out is as published (batch 128, Adam at 1e-4 with betas 0.5 and 0.999, unclipped) but for "
        "the length, 2,000 steps (published: 501 epochs)",
    )

    @field_validator("training", mode="before")
    @classmethod
    def as_published(cls, given: Any) -> Any:
        return completed(given, PUBLISHED_GAN, steps=2000)


TO_TEXT = ("prompts", "template", "negative", "revision")  # what a text-to-image model is told
TO_MODELS = (*TO_TEXT, "steps", "guidance", "sampler", "seed", "precision")  # as `palimpsest synthesize` has them


class SyntheticOptions(BaseModel):
    """Labelled pictures of past classes that fill a part of each batch of a classifier (Jodelet et al. 2023, arXiv 2306.17560)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["none", "recorded", "generator", "text_to_image", "ideal", "useless", "memory"] = Field(
        "none",
        description="recorded: a folder of pictures, by class; generator: a class-conditional model of palimpsest; text_to_image: a "
        "pipeline of diffusers. As controls, ideal: real pictures that stream.held_back sets apart; useless: those, each with "
        "the class of another; memory: the remembered pictures, more often",
    )
    path: str = Field("", description="the folder of pictures, or of the model")
    prompts: str = Field("", description="of text_to_image: a table of classes, as `palimpsest synthesize` takes it")
    template: str = Field(
        "", description='of the prompts of text_to_image, such as "{name}"; empty: name and definition'
    )
    negative: str = Field("", description="negative prompt of text_to_image, for rows that have none")
    revision: str = Field("", description="of a model of the hub, for text_to_image")
    steps: int | None = Field(None, ge=1, description="by which a model draws; unset: as `palimpsest synthesize`")
    guidance: float | None = Field(None, ge=0, description="of a model; unset: as `palimpsest synthesize`")
    sampler: str = Field("", description="of a model; empty: its own")
    seed: int | None = Field(None, ge=0, lt=2**63, description="of what a model draws; unset: 0, whatever the run's")
    precision: str = Field("", description="in which a model draws; empty: as `palimpsest synthesize`")
    per_class: int | None = Field(
        None,
        ge=1,
        description="pictures of each class (tried in an ablation of the paper: 20, 100 and 500; its own number is not known); unset: 500 "
        "of what a model draws, else all that are there",
    )
    share: float = Field(0.5, gt=0, lt=1, description="of each batch (published: one half)")
    batch: Literal["split", "added", "pooled"] = Field(
        "split",
        description="split: real and synthetic pictures are `training.batch` together; added: they come on top; pooled: they are "
        "drawn with the others, as remembered pictures are, and `share` says nothing",
    )
    epoch_by: Literal["real", "steps"] = Field(
        "real",
        description="real: an epoch is over when all real pictures were seen; steps: it has the steps of one without",
    )
    augmentation: tuple[str, ...] | None = Field(
        None, description="of the view of the logits; unset: as of real pictures (the paper's is not known)"
    )
    losses: Literal["both", "classification", "distillation"] = Field(
        "both", description="in which losses they count: both is the paper's, the others its ablation"
    )
    in_margin: bool = Field(True, description="whether they count in LUCIR's margin, too")

    @property
    def idle(self) -> tuple[str, ...]:
        """What is set, and changes nothing where there are no synthetic pictures."""
        plain = type(self)()
        return tuple(name for name, value in self if value != getattr(plain, name)) if self.source == "none" else ()

    @property
    def told_to_models(self) -> dict[str, Any]:
        """What a model is told that draws, as far as anything is said."""
        return {name: value for name in TO_MODELS if (value := getattr(self, name)) not in (None, "")}

    @model_validator(mode="after")
    def place(self) -> "SyntheticOptions":
        """Refuse a source without its folder, and a folder that nobody reads."""
        reads = self.source in ("recorded", "generator", "text_to_image")
        if reads != bool(self.path):
            found = "gave none" if reads else f'gave "{self.path}", which nothing reads'
            raise ValueError(f'source = "{self.source}" {"needs" if reads else "takes no"} path, and you {found}')
        told = self.told_to_models
        if told and self.source not in ("generator", "text_to_image"):
            raise ValueError(f'{next(iter(told))} is of a model, and source = "{self.source}" draws nothing')
        if self.source != "text_to_image" and (text := [name for name in TO_TEXT if name in told]):
            raise ValueError(f'{text[0]} is of source = "text_to_image", and it is "{self.source}"')
        return self

    @model_validator(mode="after")
    def read(self) -> "SyntheticOptions":
        """Refuse what would change nothing."""
        idle = {"added": ("epoch_by",), "pooled": ("share", "epoch_by", "augmentation", "losses", "in_margin")}
        fields = type(self).model_fields
        if said := [name for name in idle.get(self.batch, ()) if getattr(self, name) != fields[name].default]:
            why = {
                "added": "lets an epoch be one of real pictures",
                "pooled": "makes no difference between real and synthetic pictures",
            }
            raise ValueError(f'batch = "{self.batch}" {why[self.batch]}, and reads no {said[0]}; leave it out')
        if self.source == "memory" and self.per_class is not None:
            raise ValueError('source = "memory" has as many pictures as the strategy remembers: leave per_class out')
        return self


class EngineOptions(BaseModel):
    """On what it runs, and how often it looks up from work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto: cuda, else mps, else cpu")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: automatic mixed precision")
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes what torch takes")
    compile: bool = Field(False, description="torch.compile the networks")
    dream_batch: int = Field(
        0, ge=0, description="samples that a teacher draws at once, ahead of the steps that use them; 0: by the device"
    )
    dream_memory: float = Field(
        512.0,
        gt=0,
        description="MB that samples drawn ahead may take, for each source; the teacher's activations come on top",
    )
    dream_precision: Literal["same", "bf16"] = Field(
        "same", description="of a teacher while it dreams ahead: the same as training's, or bf16 for it alone"
    )
    tracker: Literal["none", "tensorboard", "wandb"] = Field(
        "none", description="who gets losses and measures beside events.jsonl; an extra of the same name"
    )
    log_every: int = Field(50, ge=1, description="steps between two lines of events.jsonl")
    checkpoint_steps: int = Field(0, ge=0, description="steps between two checkpoints; 0: by minutes alone")
    checkpoint_minutes: float = Field(10.0, ge=0, description="minutes between two checkpoints; 0: by steps alone")
