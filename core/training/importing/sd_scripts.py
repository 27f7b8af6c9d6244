"""sd-scripts' own files: the config with its sections, the dataset, folders `10_name`, and the file of sample prompts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, StudioError
from core.base.files import read_text
from core.diffusion.prompts import split_prompt_line
from core.training.config.data import Subset
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.optimizers import find_optimizer
from core.training.config.pair import flatten, read_tables
from core.training.config.reading import Imported, from_arguments
from core.training.config.sampling import FLAGS, SamplePrompt
from core.training.config.training import PARTS
from core.training.importing.defaults import unsaid
from core.training.importing.family import family_of
from core.training.importing.folders import Left, found_file, here, lone_repeats, named_subsets
from core.training.importing.leaving_out import without_idle, without_refused
from core.training.importing.model_files import with_files_here

SAYS_ENOUGH = ("pretrained_model_name_or_path", "network_module", "network_dim", "learning_rate", "unet_lr", "optimizer_type",
               "train_data_dir", "dataset_config", "max_train_steps", "max_train_epochs", "output_name")
"""One of these, and it is a config file."""
OF_A_NETWORK = ("network_module", "network_dim", "network_args", "network_weights")
"""Without any of these it is for training the whole model: train_network.py wants a network_module."""
LISTS = ("network_args", "optimizer_args", "lr_scheduler_args", "base_weights")
EXTENSION = "caption_extension"


def is_dataset(tables: Mapping[str, Any]) -> bool:
    """Whether it is a dataset file alone."""
    return isinstance(tables.get("datasets"), list) and set(tables) <= {"general", "datasets"}


def is_config(tables: Mapping[str, Any]) -> bool:
    """Whether it holds arguments of sd-scripts."""
    return any(name in SAYS_ENOUGH for name in flatten(dict(tables)))


def read(tables: Mapping[str, Any], place: Path, dataset: Path | None = None, family: str = "") -> Imported:
    """The settings of a config file; one without a network trains the whole model.

    Args: place: the file. dataset: its dataset file; None: where `dataset_config` says. family: empty: as the file tells.
    """
    arguments = {name: value for name, value in flatten(dict(tables)).items() if not isinstance(value, Mapping)}
    found, left = dataset_of(arguments, place, dataset)
    if not family:
        family, told = family_of(arguments, place)
        left += told
    whole = not any(arguments.get(name) for name in OF_A_NETWORK) and bool(TRAINED_MODELS[family].full_script)
    return from_file(arguments, found, place, left, "a config file of sd-scripts", family, method="full" if whole else "lora")


def read_dataset(tables: Mapping[str, Any], place: Path) -> Imported:
    """What a dataset file says by itself: folders, sizes, captions."""
    made = from_file({}, tables, place, [], "a dataset file of sd-scripts")
    made.parts = ("data",)
    return made


def from_file(given: Mapping[str, Any], dataset: Mapping[str, Any] | None, place: Path, left: list[Left], source: str,
              family: str = "sd15", parts: tuple[str, ...] = tuple(PARTS), method: str = "lora") -> Imported:
    """Settings from arguments and a dataset, as sd-scripts would take them, with everything listed that was left out.

    Args:
        given: arguments by their names; values as the file has them.
        dataset: the tables of a dataset file; None: folders are named by the arguments.
        place: the file; what it names is also looked for beside it.
        left: what was left out before.
        source: the kind of file, for a person.
        family: the model family.
        parts: those where sd-scripts' default holds for what is not said.
        method: "lora", or "full" for the whole model.
    """
    arguments, refused = without_refused(_tidied(given))
    left = [*left, *refused]
    arguments = with_files_here(arguments, place, left)
    arguments, prompts = _without_prompts(arguments, place, left)
    tables, repeats = _with_folders(arguments, dataset, place, left)
    if repeats is not None:
        arguments["num_repeats"] = repeats
    script = script_for(family, method)
    named = {*arguments, *tables.get("general", {}), *(name for one in tables["datasets"] for name in one)}
    named |= {"train_batch_size"} if "batch_size" in named else set()
    made = from_arguments({**unsaid(named, script, parts), **arguments}, tables, family)
    settings = made.settings.with_values(model={"method": method}, sampling={"sample_prompts": prompts})
    settings, idle = without_idle(settings, given)
    return Imported(settings, [*left, *made.unmapped, *idle], source)


def _tidied(given: Mapping[str, Any]) -> dict[str, Any]:
    """Older names and spellings as sd-scripts itself understands them."""
    arguments = {name: value for name, value in given.items() if value is not None}
    for name in LISTS:
        if name in arguments and not isinstance(arguments[name], list):
            arguments[name] = str(arguments[name]).replace('"', "").split()
    if isinstance(arguments.get("face_crop_aug_range"), str):
        arguments["face_crop_aug_range"] = [float(side) if _is_number(side) else side for side in
                                            arguments["face_crop_aug_range"].split(",") if side.strip()]
    for switch, optimizer in (("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion")):
        if arguments.pop(switch, False) and not arguments.get("optimizer_type"):
            arguments["optimizer_type"] = optimizer
    named = arguments.pop("optimizer_type", "")
    if named:
        arguments["optimizer_type"] = find_optimizer(str(named)) or named
    if str(arguments.get("max_token_length")) == "75":
        del arguments["max_token_length"]  # the length that is taken where none is said
    return {name: value for name, value in arguments.items() if value != "" or name not in ("optimizer_type", "network_module")}


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdecimal()


def dataset_of(arguments: dict[str, Any], place: Path, chosen: Path | None) -> tuple[Mapping[str, Any] | None, list[Left]]:
    """The tables of the dataset file that belongs to a config. Raises: ConfigError: the chosen one is not there, or no TOML."""
    named = str(arguments.pop("dataset_config", "") or "")
    if chosen is not None:
        return _dataset_tables(chosen), []
    if not named:
        return None, []
    found = found_file(named, place)
    if found is None:
        return None, [("dataset_config", named, "there is no such file on this machine")]
    return _dataset_tables(found), []


def _dataset_tables(path: Path) -> Mapping[str, Any]:
    tables = read_tables(path)
    if not is_dataset(tables):
        raise ConfigError(f"{path.name} is no dataset file of sd-scripts: it has no [[datasets]].", "Choose the file with the folders.")
    return tables


def _with_folders(arguments: dict[str, Any], dataset: Mapping[str, Any] | None, place: Path, left: list[Left]
                  ) -> tuple[dict[str, Any], int | None]:
    """The dataset's tables with the folders that lie here; the arguments lose what named folders."""
    parents = {name: str(arguments.pop(name, "") or "") for name in ("train_data_dir", "reg_data_dir")}
    if dataset is not None:
        left += [(name, parent, "the dataset file goes before it") for name, parent in parents.items() if parent]
        tables: dict[str, Any] = {"general": dict(_table(dataset.get("general"))),
                                  "datasets": _tables(dataset.get("datasets"))}
    else:
        subsets: list[dict[str, Any]] = []
        for name, parent in parents.items():
            if parent:
                found, told = named_subsets(parent, place, is_reg=name == "reg_data_dir")
                subsets += found
                left += told
        tables = {"general": {}, "datasets": [{"subsets": subsets}]}
    extensions: list[dict[str, Any]] = [table for table in (arguments, tables["general"], *tables["datasets"]) if EXTENSION in table]
    _without_odd_extension(extensions, left)
    repeats = _keep_those_here(tables, place, left)
    if not any(table["subsets"] for table in tables["datasets"]):
        left += [(EXTENSION, table.pop(EXTENSION), "it belongs to the folders, of which none lies on this machine")
                 for table in extensions if table.get(EXTENSION, usual_extension()) != usual_extension()]
    return tables, repeats


def _keep_those_here(tables: dict[str, Any], place: Path, left: list[Left]) -> int | None:
    """Take folders out that do not lie here. Returns: the repeats of the only one to learn from, where that is not here."""
    every = [_tables(table.get("subsets")) for table in tables["datasets"]]
    repeats = lone_repeats([subset for subsets in every for subset in subsets], place)
    for table, subsets in zip(tables["datasets"], every, strict=True):
        _without_odd_extension(subsets, left)
        table["subsets"], told = here(subsets, place, "; its repeats hold for the project's own pictures" if repeats else "")
        left += told
    return repeats


def usual_extension() -> str:
    """What ends the names of caption files here."""
    return str(Subset.fields()[EXTENSION].default)


def _without_odd_extension(tables: list[dict[str, Any]], left: list[Left]) -> None:
    """An ending that no caption file can have (kohya_ss writes one to have none read) is taken out."""
    for table in tables:
        extension = str(table.get(EXTENSION) or "")
        if EXTENSION in table and not (extension.startswith(".") and extension[1:].isalnum()):
            del table[EXTENSION]
            if extension:
                left.append((EXTENSION, extension, "it is no ending of a caption file"))


def _table(value: Any) -> Mapping[str, Any]:
    """A table of a dataset file. Raises: ConfigError: something else stands there."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"The dataset file is wrong: {value!r} stands where a table belongs.", "Write it as [[datasets.subsets]].")
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    """A list of tables; none where nothing is said. Raises: ConfigError."""
    return [dict(_table(one)) for one in (value if isinstance(value, list) else [value] if value is not None else [])]


def _without_prompts(arguments: dict[str, Any], place: Path, left: list[Left]) -> tuple[dict[str, Any], list[SamplePrompt]]:
    """The sample prompts out of the file that the arguments name, or out of the argument itself where that holds lines."""
    rest, given = dict(arguments), arguments.get("sample_prompts")
    rest.pop("sample_prompts", None)
    if not given:
        return rest, []
    if isinstance(given, list):
        return rest, prompts_of(given, left)
    found = found_file(str(given), place)
    if found is None:
        left.append(("sample_prompts", given, "there is no such file on this machine"))
        return rest, []
    if found.suffix != ".txt":
        left.append(("sample_prompts", given, "only text files with one prompt a line are read"))
        return rest, []
    try:
        return rest, prompts_of(read_text(found).splitlines(), left)
    except StudioError as error:
        left.append(("sample_prompts", given, error.message.rstrip(".")))
        return rest, []


def prompts_of(lines: list[str], left: list[Left]) -> list[SamplePrompt]:
    """Prompts from lines as sd-scripts reads them; a line that is none is listed."""
    prompts = []
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        try:
            prompts.append(SamplePrompt.from_line(line))
        except ConfigError as error:
            left.append(("sample prompt", line, error.message.rstrip(".")))
            continue
        left += [("sample prompt", f"--{flag} {value}", "the form has no such flag")
                 for flag, value in split_prompt_line(line)[1].items() if flag not in FLAGS]
    return prompts
