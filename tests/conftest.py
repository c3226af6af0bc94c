"""One compilation cache for all tests, and a real browser where the machine has one."""

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jaxtyping import install_import_hook
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import tests.shapes  # noqa: F401  the hook looks it up by name
from tests.quick import QUICK_COMPILE

# Before any test imports them: shapes in annotations are checked while tests run. A grid has none,
# and is asked for its sizes so often that looking for them takes longer than the solver.
ROOT = Path(__file__).parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("jaxsim", "agents")
    for path in (ROOT / package).rglob("*.py")
    if path.stem != "__init__"
]
MODULES.remove("jaxsim.exact.grid")
install_import_hook(MODULES, "tests.shapes.checked")

# Before any test imports jax: programs that run for a moment are compiled with little effort.
if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = QUICK_COMPILE

# Before any test imports jax: workers and the processes that tests start inherit it, so a program
# is compiled once. An empty folder each time, so that nothing old is ever run.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="closing-the-loop-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = CACHE.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"

# Before any test imports jax: arrays of unlike ranks meet by indexing that says so, never silently.
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

# Tracing leaves little that only the collector can free, which takes a quarter of its time.
gc.set_threshold(100_000, 50, 100)


LONGEST = (
    "test_docs", "test_processes", "test_runner", "test_path", "test_command_line", "test_trainer",
    "test_answers",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first, so that no worker is alone with one at the end."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(autouse=True, scope="module")
def _programs_are_forgotten() -> Iterator[None]:
    """Compiled programs go with their module: each keeps memory mapped, and a process may have
    65,530 mappings at most."""
    yield
    import jax  # it reads the variables above when it is first imported

    jax.clear_caches()
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def _trainings_are_compiled_with_little_effort() -> None:
    from agents.learning import compilation

    compilation.LIGHT["xla_backend_optimization_level"] = 0


@pytest.fixture
def nans_on_purpose() -> Iterator[None]:
    """For tests that make numbers which are none: those pass where JAX_DEBUG_NANS is set, too."""
    import jax

    with jax.debug_nans(False):
        yield


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


class Browser:
    """Headless Chromium that remembers what a page asked of the network and complained about."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(
        self, page: Path | str, width: int = 1100, dark: bool = False, media: str = ""
    ) -> None:
        """The page, a file or an address, at this width, in light or dark, on screen or
        (`media="print"`) on paper."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        look = {"media": media, "features": [scheme]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", look)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(page if isinstance(page, str) else page.absolute().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """What a piece of JavaScript returns."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def complaints(self) -> list[str]:
        """Warnings and errors of the page's console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Every address that was asked for."""
        events = [json.loads(each["message"]) for each in self.driver.get_log("performance")]
        return [
            event["message"]["params"]["request"]["url"]
            for event in events
            if event["message"]["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with chromedriver here (Debian: apt-get install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield Browser(driver)
    driver.quit()
