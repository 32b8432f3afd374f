from __future__ import annotations

import pickle
import stat
from pathlib import Path

import pytest

from jobs.settings import Settings, SettingsError, load
from operators.refresh import RefreshSettings

NOTHING: dict[str, str] = {}
SECRET = "hunter2-and-more"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, path: str = "shop.toml") -> Path:
    Path(path).write_text(text)
    return Path(path)


def refused(**how: object) -> str:
    with pytest.raises(SettingsError) as error:
        load(**how)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_everything_has_a_default() -> None:
    assert load(variables=NOTHING) == Settings()


def test_a_section_is_the_class_of_what_it_configures() -> None:
    settings = load(written("[refresh]\ninterval = 500\n"), variables=NOTHING)
    assert settings.refresh == RefreshSettings(interval=500)
    assert type(settings.refresh) is RefreshSettings


def test_later_sources_win_key_by_key() -> None:
    file = written('[redis]\nurl = "redis://file:1/0"\nprefix = "f"\n[flink]\nparallelism = 4\n')
    variables = {"HEADRACE_REDIS__URL": "redis://variable:2/0", "HEADRACE_FLINK__PARALLELISM": "3"}
    settings = load(file, {"flink.parallelism": 2, "kafka.brokers": None}, variables)
    assert (settings.redis.url, settings.redis.prefix) == ("redis://variable:2/0", "f")
    assert settings.flink.parallelism == 2
    assert settings.kafka == Settings().kafka


def test_the_file_is_the_named_one_or_the_variables_or_the_usual_one() -> None:
    written("[page]\nport = 1\n", "headrace.toml")
    written("[page]\nport = 2\n", "other.toml")
    written("[page]\nport = 3\n", "named.toml")
    assert load(variables=NOTHING).page.port == 1
    assert load(variables={"HEADRACE_CONFIG": "other.toml"}).page.port == 2
    assert load(Path("named.toml"), variables={"HEADRACE_CONFIG": "other.toml"}).page.port == 3


def test_a_variable_may_hold_a_table_as_json() -> None:
    settings = load(variables={"HEADRACE_STEP__AFFINITY__ENGAGING": '{"view": 0.3}'})
    assert settings.affinity.engaging == {"view": 0.3}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[kafak]\n", ("shop.toml: kafak is no setting",)),
        (
            "[kafak]\nbrokers = 'x'\n",
            ("shop.toml: kafak is no setting", "did you mean kafka?", "known: ", "redis"),
        ),
        (
            "[kafka]\nbrokrs = 'x'\n",
            ("shop.toml: kafka.brokrs", "did you mean brokers?", "known in kafka: ", "events"),
        ),
        (
            "[refresh]\nintervals = 3\n",
            ("shop.toml: refresh.intervals", "did you mean interval?", "most_interval"),
        ),
        ("[refresh]\ninterval = 'soon'\n", ("shop.toml: refresh.interval 'soon' cannot be used", "integer")),
        ("[step.affinity]\nrate = 0\n", ("shop.toml: step.affinity.rate is no setting", "learning_rate")),
        ("[flink]\nparallelism = 0\n", ("shop.toml: flink.parallelism 0 cannot be used", "greater than")),
        ("[page]\nport = 70000\n", ("shop.toml: page.port 70000", "65535")),
        ("kafka = 3\n", ("shop.toml: kafka cannot be used",)),
        ("[kafka\n", ("shop.toml: this is no TOML", "line 1")),
        ("[a]\nx=1\n[b]\ny=1\n", ("shop.toml: a is no setting", "(and 1 more)")),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_place_key_and_way_out(
    text: str, parts: tuple[str, ...]
) -> None:
    message = refused(config=written(text), variables=NOTHING)
    for part in parts:
        assert part in message


def test_an_unknown_variable_is_refused_by_its_name() -> None:
    message = refused(variables={"HEADRACE_KAFKA__BROKRS": "x"})
    assert message.startswith("HEADRACE_KAFKA__BROKRS: kafka.brokrs is no setting; did you mean brokers?")
    assert refused(variables={"HEADRACE_NONSENSE": "x"}).startswith(
        "HEADRACE_NONSENSE: nonsense is no setting"
    )


def test_variables_that_place_headrace_are_no_settings() -> None:
    assert load(variables={"HEADRACE_HOME": "/somewhere"}) == Settings()


def test_a_missing_file_is_refused_by_name() -> None:
    assert "nowhere.toml: the settings file cannot be read" in refused(
        config=Path("nowhere.toml"), variables=NOTHING
    )


def test_an_option_that_cannot_be_used_is_refused() -> None:
    message = refused(options={"flink.web_port": 0}, variables=NOTHING)
    assert message.startswith("the command line: flink.web_port 0")


def test_secrets_are_not_printed() -> None:
    settings = load(variables={"HEADRACE_PRIVACY__SECRET": SECRET, "HEADRACE_REDIS__PASSWORD": SECRET})
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert SECRET not in text
    assert settings.secret() == SECRET.encode()


@pytest.mark.parametrize(
    "variables",
    [
        {"HEADRACE_PRIVACY__SECRET": f'["{SECRET}"]'},
        {"HEADRACE_PRIVACY": SECRET},
        {"HEADRACE_PRIVACY__SECRET": f'{{"a": "{SECRET}"}}'},
        {"HEADRACE_REDIS__PASSWORD": f'["{SECRET}"]'},
        {"HEADRACE_REDIS__URL": f"redis://:{SECRET}@there:1/0"},
        {"HEADRACE_REDIS__URL": f"redis://there:1/0?password={SECRET}"},
        {"HEADRACE_KAFKA__REGISTRY": f"https://me:{SECRET}@there"},
        {"HEADRACE_PRIVACY__SECRT": SECRET},
        {"HEADRACE_REDIS__PASSWORD": f"[{SECRET}"},
    ],
)
def test_secrets_are_not_printed_when_they_are_refused(variables: dict[str, str]) -> None:
    assert SECRET not in refused(variables=variables)


@pytest.mark.parametrize(
    ("variable", "url", "way_out"),
    [
        ("HEADRACE_REDIS__URL", "foo", "begins with redis:// or rediss:// or unix://"),
        ("HEADRACE_REDIS__URL", "http://there:1", "begins with redis://"),
        ("HEADRACE_REDIS__URL", "redis://there:six/0", "could not be cast to integer"),
        ("HEADRACE_KAFKA__REGISTRY", "there:8081", "begins with http:// or https://"),
    ],
)
def test_an_address_that_is_none_is_refused_with_its_value(variable: str, url: str, way_out: str) -> None:
    message = refused(variables={variable: url})
    assert message.startswith(f"{variable}: ")
    assert f"{url!r} cannot be used" in message
    assert way_out in message


@pytest.mark.parametrize(
    "variables",
    [
        {"HEADRACE_REDIS__URL": "unix:///run/redis.sock"},
        {"HEADRACE_REDIS__URL": "rediss://there:1/0"},
        {"HEADRACE_KAFKA__REGISTRY": "https://there/registry"},
    ],
)
def test_an_address_of_a_known_scheme_is_taken(variables: dict[str, str]) -> None:
    settings = load(variables=variables)
    assert {settings.redis.url, settings.kafka.registry} & set(variables.values())


def test_the_password_is_in_the_clients_url_alone() -> None:
    settings = load(
        variables={"HEADRACE_REDIS__URL": "redis://there:1/0", "HEADRACE_REDIS__PASSWORD": "a/b@c"}
    )
    assert settings.redis_url() == "redis://:a%2Fb%40c@there:1/0"
    assert settings.redis.url == "redis://there:1/0"


def test_the_secret_is_made_once_and_kept_for_the_owner_alone(headrace_home: Path) -> None:
    made = Settings().secret()
    assert Settings().secret() == made
    assert len(bytes.fromhex(made.decode())) == 32
    assert stat.S_IMODE((headrace_home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in headrace_home.iterdir()] == ["secret"]


def test_an_emptied_secret_is_refused_rather_than_replaced(headrace_home: Path) -> None:
    Settings().secret()
    (headrace_home / "secret").write_text("")
    with pytest.raises(SettingsError, match="is empty: put the secret back"):
        Settings().secret()


def test_settings_travel_between_processes() -> None:
    settings = load(variables={"HEADRACE_REFRESH__INTERVAL": "300"})
    assert pickle.loads(pickle.dumps(settings)) == settings
