"""Run directories as a study leaves them, without the study: every file the page reads, with numbers that could be true."""

import json
import math
from pathlib import Path
from random import Random

from PIL import Image

TASKS, CLASSES = 5, 10
LEVELS = [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]
QUALITY = {"finetune": 0.3, "generative_replay": 0.6, "generative_distillation": 0.9}
NETWORK = {"name": "small_cnn-32", "sha256": "ab" * 32, "accuracy": 0.99}


def a_study(folder: Path, seeds: int = 2, strategies: tuple[str, ...] = tuple(QUALITY)) -> list[Path]:
    """Finished runs of every strategy and seed."""
    return [a_run(folder, strategy, seed) for strategy in strategies for seed in range(seeds)]


def a_run(folder: Path, strategy: str = "generative_distillation", seed: int = 0, done: int = TASKS, **changes) -> Path:
    """One run directory with `done` of its tasks. changes: other values in results.json."""
    path, random = folder / f"{strategy}-seed{seed}", Random(f"{strategy}{seed}")
    (path / "samples").mkdir(parents=True)
    results = {**the_results(strategy, seed, done, random), **changes}
    (path / "results.json").write_text(json.dumps(results))
    (path / "events.jsonl").write_text(
        "".join(json.dumps(event) + "\n" for event in the_events(strategy, done, random))
    )
    (path / "config.toml").write_text(f'name = "digits"\nseed = {seed}\n[stream]\nname = "digits"\ntasks = {TASKS}\n')
    environment = {"versions": {"torch": "2.13.0", "python": "3.11.7"}, "device": "cpu", "threads": 1}
    (path / "environment.json").write_text(json.dumps(environment))
    for number in range(1, done + 1):
        a_sheet(random, 6).save(path / "samples" / f"task_{number}.png")
    if done == TASKS:
        a_sheet(random, 6).save(path / "samples" / f"task_{TASKS}_long.png")
        a_sheet(random, 2, columns=5).save(path / "samples" / f"task_{TASKS}_closest.png")
    return path


def a_sheet(random: Random, rows: int, columns: int = 10) -> Image.Image:
    """Blobs of light, 32 pixels each, with gaps of 2."""
    sheet = Image.new("L", (columns * 34 + 2, rows * 34 + 2), 255)
    for place in range(rows * columns):
        spot = (
            Image.radial_gradient("L")
            .resize((32, 32))
            .point(lambda v, k=random.random(): 255 - min(int(v * (1 + k)), 255))
        )
        sheet.paste(spot, (2 + place % columns * 34, 2 + place // columns * 34))
    return sheet


def the_results(strategy: str, seed: int, done: int, random: Random) -> dict:
    quality = QUALITY.get(strategy, 0.5)
    order = list(range(CLASSES))
    random.shuffle(order)
    tasks = [a_task(number, order, quality, strategy, random) for number in range(1, done + 1)]
    matrix = [[entry["accuracy"] for entry in task["per_task"]] for task in tasks]
    if done == TASKS:
        last = tasks[-1]
        last["measures"] |= {f"{name}_long": 0.8 * last["measures"][name] for name in ("fid", "kid", "kid_se", "kld")}
        last["measures"] |= {
            "last_accuracy": matrix[-1][0],
            "forgetting": 1 - quality,
            "backward_transfer": quality - 1,
        }
    return {
        "experiment": "digits",
        "stream": "digits",
        "strategy": strategy,
        "options": {"teacher_steps": 2} if strategy.startswith("generative") else {},
        "seed": seed,
        "finished": done == TASKS,
        "allowed_to_remember": [] if strategy == "finetune" else ["teacher"],
        "classifier_remembers": ["teacher", "dreams"],
        "class_names": [str(number) for number in range(CLASSES)],
        "task_count": TASKS,
        "tasks": tasks,
        "accuracy_matrix": matrix,
        "final": tasks[-1]["measures"] if done == TASKS else {},
        "cost": {"student_passes": 115_200 if strategy == "finetune" else 259_200, "teacher_passes": 76_800, "seconds": 258.2, "peak_memory_bytes": 607_010_816,
                 "classifier": {"student_passes": 60_000, "teacher_passes": 30_000, "seconds": 20, "peak_memory_bytes": 9e7}},
        "extractor": NETWORK,
        "evaluator": NETWORK,
        "samplers": {"own": "ddim-10", "long": "ddim-50"},
        "counts": {"samples": 1500, "reference": [72 * number for number in range(1, done + 1)]},
    }  # fmt: skip


def a_task(number: int, order: list[int], quality: float, strategy: str, random: Random) -> dict:
    """A task whose older classes are the worse the older they are and the worse the method is."""

    def kept(task: int) -> float:
        return quality ** (0.6 * (number - task)) * random.uniform(0.94, 1.0)

    seen, due = order[: 2 * number], 1 / (2 * number)
    old = order[: 2 * number - 2]
    shares = [random.random() ** (1 / quality) for _ in old]
    replay = {"source": "dreams", "learner": "denoiser", "count": 250, "purity": 0.7 + 0.29 * kept(1),
              "shares": {str(c): s / sum(shares) for c, s in zip(old, shares)},
              "starving": [c for c, s in zip(old, shares) if s / sum(shares) < 0.1 / len(old)]}  # fmt: skip
    error = {"levels": LEVELS, "errors": [[0.2 * (1 - kept(t)) * math.exp(-level / 300) + 1e-4 for level in LEVELS]
                                          for t in range(1, number)]}  # fmt: skip
    measures = {"fid": 30 + 140 * (1 - quality) * number + 20 * random.random(), "kid": 0.1 * number, "kid_se": 0.01,
                "precision": 0.8, "kld": 0.02 + (1 - quality) * number * random.uniform(0.8, 1.2),
                "memorisation": 0.008 + 0.02 * quality * random.random(), "accuracy": kept(1)}  # fmt: skip
    return {
        "number": number,
        "classes": order[2 * number - 2 : 2 * number],
        "seconds": 40.0 + number,
        "measures": measures,
        "per_task": [{"task": t, "fid": 40 / kept(t), "frequency": kept(t) / number, "due": 1 / number, "accuracy": kept(t)}
                     for t in range(1, number + 1)],
        "per_class": [{"class": c, "fid": 44 / kept(1 + i // 2), "frequency": due * kept(1 + i // 2), "due": due,
                       "accuracy": kept(1 + i // 2)} for i, c in enumerate(seen)],
        "replay": [replay] if number > 1 and strategy != "finetune" else [],
        "denoising_error": error if number > 1 else {},
    }  # fmt: skip


def the_events(strategy: str, done: int, random: Random) -> list[dict]:
    events: list[dict] = [{"event": "start", "time": 0.0}]
    for task in range(1, done + 1):
        terms = ["data × true_noise"] + ["dreams × teacher.noise"] * (task > 1 and strategy != "finetune")
        for step in range(10, 1001, 10):
            losses = {term: (0.08 + 0.3 * math.exp(-step / 120)) * random.uniform(0.9, 1.1) for term in terms}
            events.append({"event": "step", "time": step, "task": task, "phase": 0, "step": step, "losses": losses})
    events.append({"event": "warning", "time": 1.0, "text": "72 reference pictures are few: FID is biased by about 5."})
    return events
