"""What an experiment may say about evaluation."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from palimpsest.core.references import settled

RESNET18 = {"features": 512, "steps": 0, "epochs": 100, "batch": 64, "learning_rate": 5e-4, "validation": 0.1}
LEAST_KEPT = 6  # samples, of which each has five neighbours


class EvaluatorOptions(BaseModel):
    """The recipe of an evaluator. Together with the data it decides the weights, and the name of their cache entry.

    The defaults below are those of small_cnn; `RESNET18` has the other kind's. What is said explicitly wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["small_cnn", "resnet18"] = Field(
        "small_cnn", description="the network: small_cnn for small pictures, resnet18 for published rows"
    )
    features: int = Field(32, ge=2, description="width of the features: up to 32 in small_cnn, always 512 in resnet18")
    steps: int = Field(1500, ge=0, description="optimizer steps of small_cnn; 0 in resnet18")
    epochs: int = Field(0, ge=0, description="passes over the training pictures of resnet18; 0 in small_cnn")
    batch: int = Field(128, ge=2, description="pictures per step")
    learning_rate: float = Field(2e-3, gt=0, description="Adam's; in small_cnn it falls to 0 along a cosine")
    validation: float = Field(
        0.0, ge=0, lt=1, description="share of the training pictures that choose resnet18's best epoch; 0 in small_cnn"
    )
    seed: int = Field(0, description="decides initial weights, batches, augmentation and the validation pictures")

    @model_validator(mode="before")
    @classmethod
    def fill(cls, given: Any) -> Any:
        """The defaults of the kind."""
        return RESNET18 | given if isinstance(given, dict) and given.get("kind") == "resnet18" else given

    @model_validator(mode="after")
    def check(self) -> "EvaluatorOptions":
        """Refuse what the kind has no use for, and what it cannot do without."""
        small = self.kind == "small_cnn"
        if self.features > 32 if small else self.features != 512:
            raise ValueError(f"{self.kind} has {'2 to 32' if small else '512'} features, not {self.features}")
        for name, wanted in {"steps": small, "epochs": not small, "validation": not small}.items():
            if bool(getattr(self, name)) != wanted:
                raise ValueError(f"{self.kind} needs {name} {'above' if wanted else 'to be'} 0")
        return self

    @property
    def changed(self) -> dict[str, Any]:
        """The kind and what differs from its defaults: a field that is added later leaves this as it is."""
        plain = type(self)(kind=self.kind)
        return {"kind": self.kind} | {name: value for name, value in self if value != getattr(plain, name)}

    @property
    def length(self) -> str:
        """How long it trains, in words."""
        return f"{self.steps} steps" if self.steps else f"{self.epochs} epochs"


class EvaluationOptions(BaseModel):
    """What is sampled and measured after every task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(1000, ge=0, description="samples a measurement; 0 measures nothing and draws the sheet alone")
    sampler: str = Field("ddim", description="one of `palimpsest list samplers`")
    steps: int = Field(10, ge=1, description="sampling steps")
    long_sampler: str = Field("ddim", description="the sampler of all measures once more, after the last task")
    long_steps: int = Field(50, ge=0, description="its steps, as far as there are levels; 0: none")
    batch: int = Field(250, ge=1, description="samples drawn at once")
    reference: Literal["test", "all"] = Field(
        "test", description="real pictures of the classes seen that samples are compared with: test pictures, or all"
    )
    sheet: int = Field(60, ge=1, description="samples on the sheet of each task")
    memorisation: int = Field(
        1000, ge=0, description="samples, and held-out pictures, whose distance to training pictures is taken; 0: none"
    )
    denoising: int = Field(
        25, ge=0, description="test pictures a task, on which models of before and after are compared; 0: none"
    )
    kept: int = Field(
        0,
        ge=0,
        description="samples of a given model, and as many of the taught one, by which it is measured what was kept; 0: none",
    )
    probe: int = Field(
        0, ge=0, description="training pictures for a linear probe of the generator's features after each task; 0: none"
    )
    gap: int = Field(
        10_000, ge=0, description="synthetic pictures that are compared with real ones after the last task; 0: none"
    )
    replay: int = Field(250, ge=0, description="replayed pictures that are looked at in each phase; 0: none")
    extractor: Annotated[str, AfterValidator(settled)] = Field(
        "evaluator",
        description="whose features are compared: evaluator, inception, package.module:attribute or file.py:attribute",
    )
    extractor_weights: str = Field("", description="a weights file for inception; empty: torch-fidelity's own")
    clip: str = Field(
        "",
        description="a CLIP model of transformers, a folder or a name on the hub, that also compares synthetic pictures with real ones",
    )
    evaluator: EvaluatorOptions = Field(EvaluatorOptions(), description="the classifier whose features are compared")

    @field_validator("kept")
    @classmethod
    def check_kept(cls, count: int) -> int:
        """Refuse what has no five neighbours."""
        if 0 < count < LEAST_KEPT:
            raise ValueError(
                f"what was kept is measured by {LEAST_KEPT} samples or more, or by 0 for not at all, not by {count}"
            )
        return count
