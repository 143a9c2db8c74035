"""What results.json holds, type by type: a file of another shape is refused before anything is made of it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Numbers = dict[str, float]
Words = str | list[str]
Class = int | str


class Shape(BaseModel):
    """Keys that are not named here are let pass: a later version may write them."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Replay(Shape):
    source: str = ""
    learner: str = ""
    purity: float | None = None
    shares: Numbers = {}
    starving: list[Class] = []
    drawn: int | None = None
    labelled: Numbers = {}
    accepted: Numbers = {}
    wasted: float | None = None
    filled_up: list[Class] = []
    empty: list[Class] = []


class DenoisingError(Shape):
    levels: list[float] = []
    tasks: list[int] = []
    errors: list[list[float]] = []


class Kept(Shape):
    samples: int = 0
    expected: Numbers = {}
    new_pictures: Numbers = {}


class Task(Shape):
    number: Annotated[int, Field(ge=1, le=1_000_000)]
    classes: list[Class]
    measures: Numbers
    seconds: float
    per_task: list[Numbers] = []
    per_class: list[Numbers] = []
    per_task_long: list[Numbers] = []
    per_class_long: list[Numbers] = []
    replay: list[Replay] = []
    denoising_error: DenoisingError = DenoisingError()
    kept: Kept | None = None


class Passes(Shape):
    student_passes: float = 0
    teacher_passes: float = 0
    seconds: float = 0
    peak_memory_bytes: float | None = None


class Cost(Passes):
    classifier: Passes | None = None


class Counts(Shape):
    samples: int | None = None
    reference: list[int | None] | None = None


class Network(Shape):
    name: str = ""
    sha256: str = ""
    accuracy: float | None = None


class File(Shape):
    experiment: str
    stream: Any
    strategy: str
    options: dict[str, Any]
    options_beside: dict[str, dict[str, Any]] = {}
    seed: int
    finished: bool
    allowed_to_remember: Words
    classifier_remembers: Words = []
    class_names: list[Class] = []
    task_count: int = 0
    tasks: list[Task]
    accuracy_matrix: list[list[float]] = []
    final: Numbers = {}
    cost: Cost = Cost()
    extractor: Network | None = None
    evaluator: Network | None = None
    samplers: dict[str, str] = {}
    counts: Counts = Counts()


def check_shape(found: Any) -> None:
    """ValueError, a sentence part such as "tasks.0.seconds: Field required", where results.json is not of this shape."""
    try:
        File.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")) from error
