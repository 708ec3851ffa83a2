"""What every test gets: one thread, seeds, no way out of this machine; and `device` and `chromium` for who asks."""

import os
import random
import shutil
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, register_random, settings

if TYPE_CHECKING:
    import torch

# Read by torch when it is imported, here or in a child process: with two workers on two cores more threads only wait.
os.environ["OMP_NUM_THREADS"] = "1"


class TorchRandom:
    """Lets hypothesis give torch the same seed for every example, as it does for Python and NumPy."""

    def seed(self, number: int) -> None:
        if torch := sys.modules.get("torch"):
            torch.manual_seed(number)

    def getstate(self) -> Any:
        torch = sys.modules.get("torch")
        return torch.get_rng_state() if torch else None

    def setstate(self, state: Any) -> None:
        torch = sys.modules.get("torch")
        if torch and state is not None:
            torch.set_rng_state(state)


TORCH_RANDOM = TorchRandom()  # hypothesis keeps no reference of its own
register_random(TORCH_RANDOM)

settings.register_profile(
    "executable-answers",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("executable-answers")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where tests that take `device` compute: cpu, cuda, mps")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> "torch.device":
    """The device of --device, cpu unless said otherwise."""
    import torch

    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium. Without one the test is skipped, and in CI it fails."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    path = next(filter(None, map(shutil.which, (*names, mac))), None)
    if path:
        return path
    missing = "no Chromium here; on Debian and Ubuntu: apt install chromium"
    if "CI" in os.environ:
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session", autouse=True)
def _nobodys_progress(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test, and no quiz that a test starts, writes into the log of whoever runs the tests."""
    os.environ["QUIZ_HOME"] = str(tmp_path_factory.mktemp("quiz"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed whatever is loaded, before any fixture; nothing is imported for it."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


class LeftThisMachine(RuntimeError):
    """A test tried to reach something other than 127.0.0.1. Not an OSError, so that no retry swallows it."""


LOCAL = {"127.0.0.1", "::1", "localhost", "", None}


def _refuse(host: object) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host not in LOCAL:
        raise LeftThisMachine(f"tests stay on 127.0.0.1, and this one asked for {host}")


def _stay_here() -> None:
    connect, connect_ex, sendto, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(address[0])

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        check(self, rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        _refuse(host)
        return getaddrinfo(host, *rest, **named)

    patch: Any = socket.socket
    patch.connect, patch.connect_ex, patch.sendto = guarded_connect, guarded_connect_ex, guarded_sendto
    socket.getaddrinfo = guarded_getaddrinfo


_stay_here()
