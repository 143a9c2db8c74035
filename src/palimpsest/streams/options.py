"""What a stream may be asked for: the [stream] table of an experiment."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from palimpsest.core.references import is_reference, settled


def share_or_number(value: float) -> float:
    """A share below 1, or a whole number."""
    if value >= 1 and value % 1:
        raise ValueError(f"{value:g} is neither a share below 1 nor a whole number")
    return value


ShareOrNumber = Annotated[float, AfterValidator(share_or_number)]


class StreamOptions(BaseModel):
    """Where pictures come from, what they become, and how their classes are cut into tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(settled)] = Field(
        "digits",
        description='"digits" (built in), the name of a data set\'s folder, "hub:owner/name", or a function of one\'s own that '
        "returns tasks: package.module:function or file.py:function",
    )
    path: str = Field(
        "",
        description="the data set's folder, or the folder that data sets lie in; empty: $PALIMPSEST_DATA",
    )
    tasks: Annotated[int, Field(ge=1)] | list[list[int]] | list[list[str]] = Field(
        5, description="how many tasks, or the classes of each task by number or by name"
    )
    base: int = Field(
        0, ge=0, description="classes of the first task, the others sharing the rest; 0: as many as the others"
    )
    rounds: int = Field(
        0,
        ge=0,
        description="tasks after those, in which nothing arrives: to go on with what was learnt, and see what becomes of it",
    )
    order: Literal["sorted", "random", "numpy"] | list[int] = Field(
        "random",
        description="order in which classes arrive, or all class numbers in order; not used with class lists. numpy: NumPy's "
        "legacy shuffle, which with order_seed = 1993 is the order of the class-incremental literature",
    )
    order_seed: int | None = Field(None, description="seed of the random order; unset: the run's seed")
    subset: int = Field(
        0,
        ge=0,
        description="use so many of the classes, chosen by NumPy's legacy generator with order_seed and numbered anew; 0: all",
    )
    size: int = Field(0, ge=0, description="pictures are resized to size × size; 0: as stored")
    channels: Literal[0, 1, 3] = Field(0, description="1 (gray) or 3 (colour); 0: as the first picture is stored")
    resize: Literal["antialias", "bilinear"] = Field(
        "antialias", description="antialias: Pillow's bilinear filter; bilinear: four neighbours, without antialiasing"
    )
    flip: bool = Field(False, description="training pictures are mirrored left to right half of the time")
    bad_images: Literal["refuse", "skip"] = Field(
        "refuse", description="what happens to unreadable, truncated and wrong-mode pictures"
    )
    test_share: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="share of each class held out where no test set is stored; 0: nothing to measure on",
    )
    split_seed: int = Field(0, description="seed of that split")
    held_back: ShareOrNumber = Field(
        0.0,
        ge=0,
        description="training pictures of each class that no task has: a share below 1, or a number, by split_seed",
    )
    use: Literal["rest", "held_back"] = Field(
        "rest",
        description="held_back: the tasks are made of just those, to train a generator that is foreign to the rest",
    )
    labels: ShareOrNumber = Field(
        0.0,
        ge=0,
        description="training pictures of each class whose label is known: a share below 1, or a number; 0: all of them",
    )
    label_seed: int | None = Field(None, description="seed of their choice; unset: the run's seed")
    limit: int = Field(0, ge=0, description="use the first so many training pictures only; 0: all")
    on_device: Literal["auto", "yes", "no"] = Field(
        "auto", description="hold pictures on the training device; auto: if they take less than half of its free memory"
    )
    train_split: str = Field("train", description="a hub data set's split to train on")
    test_split: str = Field("test", description="a hub data set's split to measure on")

    @property
    def is_own(self) -> bool:
        """Whether the name says where a function of the user's own lies."""
        return is_reference(self.name) and not self.name.startswith("hub:")
