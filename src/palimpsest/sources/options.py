"""What an experiment may say about synthetic pictures beside real ones: the [synthetic] table."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
    per_class: int = Field(500, ge=1, description="pictures of each class (tried in the paper: 20, 100 and 500)")
    share: float = Field(0.5, gt=0, lt=1, description="of each batch (published: one half)")
    batch: Literal["split", "added"] = Field(
        "split", description="split: real and synthetic pictures are `training.batch` together; added: they come on top"
    )
    epoch_by: Literal["real", "steps"] = Field(
        "real",
        description="real: an epoch is over when all real pictures were seen; steps: it has the steps of one without",
    )
    losses: Literal["both", "classification", "distillation"] = Field(
        "both", description="in which losses they count: both is the paper's, the others its ablation"
    )
    in_margin: bool = Field(True, description="whether they count in LUCIR's margin, too")

    @model_validator(mode="after")
    def place(self) -> "SyntheticOptions":
        """Refuse a source without its folder, and a folder that nobody reads."""
        reads = self.source in ("recorded", "generator", "text_to_image")
        if reads != bool(self.path):
            found = "gave none" if reads else f'gave "{self.path}", which nothing reads'
            raise ValueError(f'source = "{self.source}" {"needs" if reads else "takes no"} path, and you {found}')
        return self
