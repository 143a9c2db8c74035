"""What an experiment may say about its noise: the `[diffusion]` table."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DiffusionOptions(BaseModel):
    """The noise schedule, what the network predicts, and how its pictures are bounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: Literal["linear", "cosine"] = Field("linear", description="how fast pictures turn into noise")
    steps: int = Field(1000, ge=2, description="noise levels between the clean picture and pure noise")
    beta_start: float = Field(1e-4, gt=0, lt=1, description="noise added by the first step of the linear schedule")
    beta_end: float = Field(0.02, gt=0, lt=1, description="noise added by the last step of the linear schedule")
    zero_terminal_snr: bool = Field(True, description="rescale the schedule so that its last level is pure noise")
    predicts: Literal["epsilon", "sample", "v_prediction"] = Field(
        "epsilon", description="what the network says: the noise, the clean picture, or the velocity"
    )
    untold: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="share of pictures whose class a conditional network is not told while it learns",
    )
    clip: bool = Field(True, description="clamp the clean picture that each sampling step predicts")
    clip_range: float = Field(1.0, gt=0, description="the clamp is to [-clip_range, clip_range]")

    @model_validator(mode="after")
    def _rising(self) -> "DiffusionOptions":
        if self.beta_end < self.beta_start:
            raise ValueError(
                f"diffusion.beta_end is {self.beta_end} and diffusion.beta_start is {self.beta_start}; "
                "noise must not shrink along the schedule, so give a beta_end of at least beta_start."
            )
        return self

    @property
    def clamp(self) -> float | None:
        """The range that predicted clean pictures are clamped to, or None."""
        return self.clip_range if self.clip else None
