"""Prompt files: what a row becomes, and every way in which one can be wrong."""

import json

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.synthesis.prompt_file import READY, in_words, read_subjects
from palimpsest.synthesis.subjects import Subject, chosen
from palimpsest.synthesis.text_to_image import check_guidance
from palimpsest.synthesis.wordnet import folder_of, noun, usual_places, without_examples

HEADER = "class_id,name,definition,wnid,prompt,negative_prompt\n"


@pytest.fixture
def read(tmp_path):
    """Reads rows below the usual header."""

    def call(text: str, name: str = "prompts.csv", header: str = HEADER, **how: object):
        path = tmp_path / name
        path.write_text(header + text, encoding="utf-8")
        return read_subjects(str(path), **how)

    return call


def test_a_row_becomes_a_prompt(read):
    rows = '1,maple_tree,"tree, with leaves",,,\n0,cat,,n02121620,,\n2,dog,barks,,a photo of a dog,cartoon\n'
    cat, maple, dog = read(rows, negative="blurry")
    assert (cat.prompt, cat.folder, cat.negative_prompt) == ("cat", "n02121620", "blurry")
    assert (maple.prompt, maple.folder, maple.class_id) == ("maple tree, tree, with leaves", "maple_tree", 1)
    assert (dog.prompt, dog.negative_prompt) == ("a photo of a dog", "cartoon")


def test_jsonl_is_the_same(read):
    rows = [{"class_id": 0, "name": "cät", "definition": None}, {"class_id": 1, "name": "dog", "definition": "barks"}]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n"
    subjects = read(text, "prompts.jsonl", header="")
    assert subjects == read("0,cät,\n1,dog,barks\n", header="class_id,name,definition\n")
    assert [subject.prompt for subject in subjects] == ["cät", "dog, barks"]


@pytest.mark.parametrize(
    ("template", "definition", "prompt"),
    [
        ("{name}, {definition}", "barks", "guard dog, barks"),
        ("{name}, {definition}", "", "guard dog"),
        ("a photo of a {name} ({definition}) outdoors", "", "a photo of a guard dog outdoors"),
        ("a photo of a {name} ({definition}) outdoors", "it {name}s", "a photo of a guard dog (it {name}s) outdoors"),
        ("{definition}: {name}", "it_barks", "it barks: guard dog"),
    ],
)
def test_templates(template, definition, prompt):
    assert in_words(template, "guard_dog", definition) == prompt


def test_folders_are_names_without_spaces_and_slashes(read):
    assert [subject.folder for subject in read("0,T-shirt/top,\n1,Ankle boot,\n")] == ["T-shirt_top", "Ankle_boot"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("", "has no classes; give one row a class"),
        ("0,cat\n0,dog\n", 'gives the class_id "0" twice, to class 0 (cat) and to class 0 (dog)'),
        ("0,cat\n1,cat\n", 'gives the sub-folder name "cat" twice'),
        ("0,a cat\n1,a_cat\n", 'gives the sub-folder name "a_cat" twice'),
        ("0,Cat,,,x\n1,cat,,,y\n", 'gives the sub-folder name "cat" twice'),
        ("0,cat,,n02121620,x\n1,dog,,n02121620,y\n", 'gives the sub-folder name "n02121620" twice'),
        ("0,cat,,,a pet\n1,dog,,,a pet\n", 'gives the prompt "a pet" twice, to class 0 (cat) and to class 1 (dog)'),
        ("one,cat\n", 'row 1 has the class_id "one", and it is a whole number from 0'),
        ("-1,cat\n", 'has the class_id "-1"'),
        ("1.5,cat\n", 'has the class_id "1.5"'),
        (",cat\n", "row 1 has no class_id; each row has class_id and name"),
        ("0,cat\n1,\n", "row 2 has no name"),
        ("0,..\n", 'names a class "..", which cannot be the name of a folder'),
        ("0,cat,,2121620\n", 'has the wnid "2121620", and one is an n and eight digits'),
        ("0,_\n", "row 1 comes to an empty prompt"),
        ("0,cat,,,,,more\n", "unknown column of"),
    ],
)
def test_wrong_rows(rows, sentence, read):
    with pytest.raises(RequestError) as error:
        read(rows)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.csv", "class_id,nmae\n0,cat\n", '"nmae". Did you mean "name"?'),
        ("p.csv", "class_id\n0\n", "row 1 has no name"),
        ("p.txt", "cat\n", "legal endings: .csv, .jsonl"),
        ("p.jsonl", '{"class_id": 0, "name": "cat"}\nnonsense\n', "line 2 is not JSON"),
        ("p.jsonl", '["cat"]\n', "line 1 is not an object"),
        ("p.jsonl", '{"class_id": 0, "name": ["cat"]}\n', "line 1 is not an object of texts and numbers"),
        ("p.csv", b"class_id,name\n0,c\xe4t\n", "cannot be read as UTF-8 text"),
        ("p.csv", 'class_id,name\n0,"cat\n', "is not a table of comma-separated values"),
        ("p.csv", "class_id;name\n0;cat\n", "has columns with ';' between them; save it with commas"),
        ("p.csv", "class_id\tname\n0\tcat\n", "has columns with '\\t' between them"),
    ],
)
def test_wrong_files(name, text, sentence, tmp_path):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RequestError) as error:
        read_subjects(str(tmp_path / name))
    assert sentence in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{nmae}", 'unknown field of --template "nmae". Did you mean "name"?'),
        ("a photo", "is the same for every class"),
    ],
)
def test_wrong_templates(template, sentence, read):
    with pytest.raises(RequestError, match=sentence):
        read("0,cat,\n", template=template)


def test_a_file_that_is_not_there_names_the_ready_made_ones():
    with pytest.raises(RequestError, match='"cifar-100". Did you mean "cifar100"?.*cifar10, cifar100, fashion_mnist'):
        read_subjects("cifar-100")


SENSES = {  # of CIFAR-100's classes, where the first noun sense of WordNet is another thing, or hardly the one that is meant
    "aquarium_fish": "n01443537",
    "beaver": "n02363005",
    "castle": "n02980441",
    "cloud": "n09247410",
    "dolphin": "n02068974",
    "flatfish": "n02657368",
    "girl": "n10084295",
    "keyboard": "n03085013",
    "leopard": "n02128385",
    "lobster": "n01982650",
    "maple_tree": "n12752205",
    "otter": "n02444819",
    "plate": "n03959485",
    "raccoon": "n02508021",
    "ray": "n01495701",
    "seal": "n02076196",
    "shrew": "n01891633",
    "skunk": "n02445715",
    "sweet_pepper": "n07720615",
    "table": "n04379243",
    "television": "n04405907",
    "tiger": "n02129604",
    "trout": "n02537085",
    "turtle": "n01662784",
    "whale": "n02062744",
}


@pytest.mark.parametrize(("name", "classes"), [("cifar100", 100), ("cifar10", 10), ("fashion_mnist", 10)])
def test_ready_made_prompts(name, classes):
    """The 77 tokens of CLIP cannot be counted without its vocabulary; 60 letters and words are far from them."""
    subjects = read_subjects(name)
    assert [subject.class_id for subject in subjects] == list(range(classes))
    assert len({subject.prompt for subject in subjects}) == classes == len({subject.wnid for subject in subjects})
    for subject in subjects:
        assert subject.wnid and subject.definition and len(subject.prompt) < 77
        assert subject.prompt == f"{subject.name.replace('_', ' ')}, {subject.definition}"
    if name == "cifar100":
        assert [subject.name for subject in subjects] == sorted(subject.name for subject in subjects)
        senses = {subject.name: subject.wnid for subject in subjects}
        assert {name: senses[name] for name in SENSES} == SENSES
    assert (READY / f"{name}.csv").read_text().isascii()


def test_classes_are_chosen_by_name_wnid_or_number():
    subjects = read_subjects("cifar10")
    assert [s.name for s in chosen(subjects, ["ship", "n02121620", "0"], "cifar10")] == ["airplane", "cat", "ship"]
    assert chosen(subjects, [], "cifar10") == subjects
    for wrong in ("shp", ""):
        with pytest.raises(RequestError, match=f'unknown class of cifar10 "{wrong}"'):
            chosen(subjects, [wrong], "cifar10")
    with pytest.raises(RequestError, match=r"cifar10 lacks 2 of the 3 classes that were asked for \(10, eel\). Legal: airplane, "):
        chosen(subjects, ["10", "cat", "eel"], "cifar10")


@pytest.fixture
def wordnet(tmp_path):
    """Two nouns as WordNet stores them, behind lines of a licence; their wnids, and the folder."""
    licence = b"  1 This software and database is being provided to you  \n"
    line = b'%08d 05 n 01 otter 0 001 @ 02441326 n 0000 | a river mammal; it swims; "otters play"; "they dive"  \n'
    first = line % len(licence)
    second = b"%08d 06 n 01 table 0 000 | furniture with a flat top  \n" % (len(licence) + len(first))
    (tmp_path / "dict").mkdir()
    (tmp_path / "dict" / "data.noun").write_bytes(licence + first + second)
    return f"n{len(licence):08d}", f"n{len(licence) + len(first):08d}", tmp_path / "dict"


def test_definitions_from_wordnet(wordnet, read):
    otter, table, folder = wordnet
    assert noun(otter, folder) == ("otter", "a river mammal; it swims")
    assert noun(table, folder) == ("table", "furniture with a flat top")
    rows = f"0,otter,,{otter}\n1,table,my own,{table}\n2,eel,\n"
    prompts = [subject.prompt for subject in read(rows, wordnet=str(folder))]
    assert prompts == ["otter, a river mammal; it swims", "table, my own", "eel"]
    assert read(rows)[0].prompt == "otter"
    named = read(f"0,,,{otter}\n1,,my own,{table}\n", wordnet=str(folder))
    assert [(subject.name, subject.definition) for subject in named] == [("otter", "a river mammal; it swims"), ("table", "my own")]
    with pytest.raises(RequestError, match="row 1 has no name; give it one, or take those of its wnid with --wordnet"):
        read(f"0,,,{otter}\n")


def test_examples_are_left_out_and_semicolons_stay():
    assert without_examples('a dish; flat or deep; "a plate of soup"; "plates"  ') == "a dish; flat or deep"


def test_wrong_wordnets(wordnet, tmp_path):
    otter, _, folder = wordnet
    for wnid in ("n00000007", "n09999999"):
        with pytest.raises(RequestError, match=f"has no noun {wnid}; wnids belong to WordNet 3.0"):
            noun(wnid, folder)
    with pytest.raises(RequestError, match="holds no readable data.noun.*wordnet-base"):
        noun(otter, tmp_path / "nowhere")


def test_a_wordnet_that_nothing_is_looked_up_in_is_refused(read, tmp_path):
    with pytest.raises(RequestError, match="--wordnet looks nouns up by their wnid, and .* has none; add the column wnid"):
        read("0,cat\n", wordnet=str(tmp_path))


def test_an_installed_wordnet_is_looked_for(wordnet, read, monkeypatch, tmp_path):
    """By WordNet's own variables before the usual places; where there is none, that is said with what to install."""
    otter, _, folder = wordnet
    monkeypatch.setenv("WNSEARCHDIR", str(folder))
    assert folder_of("installed") == folder and folder_of(str(tmp_path)) == tmp_path
    assert read(f"0,otter,,{otter}\n", wordnet="installed")[0].prompt == "otter, a river mammal; it swims"
    found = list(usual_places({"WNHOME": "/wn", "NLTK_DATA": "/a:/b"}))
    named = ["/wn/dict", "/usr/share/wordnet", "/a/corpora/wordnet", "/b/corpora/wordnet"]
    assert [str(place) for place in found[:-1]] == named and found[-1].name == "wordnet"
    places = [tmp_path / "one", tmp_path / "other"]
    monkeypatch.setattr("palimpsest.synthesis.wordnet.usual_places", lambda environment: places)
    with pytest.raises(RequestError, match=f"no data.noun lies in {places[0]}, {places[1]}; install .*wordnet-base"):
        folder_of("installed")


def test_two_classes_may_have_one_name(read):
    """As the bird and the machine of ImageNet, which their wnids and definitions tell apart."""
    subjects = read("0,crane,a large wading bird,n02012849\n1,crane,lifts heavy objects,n03126707\n2,eel,,\n")
    assert [subject.prompt for subject in subjects[:2]] == ["crane, a large wading bird", "crane, lifts heavy objects"]
    assert [s.class_id for s in chosen(subjects, ["n03126707", "eel"], "p.csv")] == [1, 2]
    with pytest.raises(RequestError, match='has 2 classes called "crane"; ask for them by wnid: n02012849, n03126707'):
        chosen(subjects, ["crane"], "p.csv")


@pytest.mark.parametrize(("guidance", "negative", "sentence"), [(0.5, "", "guided above 1"), (1.0, "blurred", "negative prompts count in guidance alone")])
def test_guidance_that_guides_nothing_is_refused(guidance, negative, sentence):
    subjects = (Subject(0, "cat", prompt="cat", negative_prompt=negative),)
    with pytest.raises(RequestError, match=sentence):
        check_guidance("model", guidance, subjects)
    for fine in (None, 0.0, 1.0, 2.0):
        check_guidance("model", fine, (Subject(0, "cat", prompt="cat"),))
    check_guidance("model", 2.0, subjects)
