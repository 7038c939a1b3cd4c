"""What `dev` answers to what people type: help, wrong words, wrong numbers of words. Nothing is built or installed."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

DEV = Path(__file__).resolve().parent.parent / "dev"


def dev(*arguments, cwd=None, env=None):
    return subprocess.run([DEV, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=env,
                          stdin=subprocess.DEVNULL)


class Dev(unittest.TestCase):
    def test_help_from_any_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            for arguments in (["--help"], ["-h"], ["help"], ["test", "--help"], ["lint", "-h"], ["gpu", "--help"]):
                done = dev(*arguments, cwd=folder)
                self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
                for command in ("demo", "test", "build", "bench", "gpu", "format", "lint"):
                    self.assertRegex(done.stdout, rf"(?m)^  {command}\b")

    def test_no_command(self):
        done = dev()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage: ./dev COMMAND", done.stderr)

    def wrong(self, expected, *arguments):
        done = dev(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
        self.assertEqual(done.stderr.splitlines(), [f"dev: error: {expected}", "Try './dev --help'."])

    def test_wrong_words(self):
        self.wrong("there is no command 'tset'; did you mean 'test'?", "tset")
        self.wrong("there is no command 'lnit'; did you mean 'lint'?", "lnit")
        self.wrong("there is no command 'xyzzy'", "xyzzy")
        self.wrong("there is no preset 'assan'; did you mean 'asan'?; there are cpu sim asan tsan cuda", "build", "assan")
        self.wrong("lint takes no arguments", "lint", "kernels")
        self.wrong("format takes no arguments", "format", "kernels")
        self.wrong("build takes one preset, not 'cpu asan'", "build", "cpu", "asan")
        self.wrong("build cuda takes --arch A and --update, not '--archs'", "build", "cuda", "--archs", "90a")
        self.wrong("--arch takes an architecture such as 90a, not ''", "build", "cuda", "--arch")
        self.wrong("--arch takes an architecture such as 90a, not 'sm_90a'", "build", "cuda", "--arch", "sm_90a")
        self.wrong("gpu takes pack, run or report, not 'go'", "gpu", "go")
        self.wrong("gpu takes pack, run or report, not ''", "gpu")
        self.wrong("gpu pack takes no arguments", "gpu", "pack", "all")
        self.wrong("test takes a preset and a filter, not 'A B'", "test", "cpu", "A", "B")

    def test_peers_need_pytorch(self):
        done = dev("bench", "peers", env={**os.environ, "ISKRA_PEER_PYTHON": "/bin/false"})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^dev: error: bench peers: /bin/false has no PyTorch; make one with .*\n$")

    def with_programs(self, *arguments, **programs):
        """Runs dev where the only programs are the shell's own and these scripts."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bash", "env", "dirname", "cat", "mkdir", "tail", "nproc"):
                (Path(folder) / name).symlink_to(Path("/usr/bin") / name)
            for name, text in programs.items():
                path = Path(folder) / name.replace("_", "-")
                path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
                path.chmod(0o755)
            return dev(*arguments, env={**os.environ, "PATH": folder})

    def test_not_debian(self):
        done = self.with_programs("build")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^dev: error: this script installs packages of Debian 12.*\n$")

    def test_only_what_is_missing_is_asked_of_apt(self):
        done = self.with_programs(
            "build",
            dpkg_query='[[ "$*" == *" libpng-dev" || "$*" == *" ccache" ]] || echo -n installed',
            apt_get='echo "apt-get $*"; [[ $1 == update ]]',
            sudo='[[ $1 == -* ]] || exec "$@"',
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("dev: missing: ccache libpng-dev\n--- install 2 packages\napt-get update -q\n"
                      "apt-get install -q -y --no-install-recommends ccache libpng-dev\n"
                      "dev: error: could not install ccache libpng-dev", done.stderr)


if __name__ == "__main__":
    unittest.main()
