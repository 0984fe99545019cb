"""Debian's WordPress as a peer: the real program on PHP and MariaDB, in a folder of its own, for as long as a test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port

SOURCE = Path("/usr/share/wordpress")
_READY_WITHIN = 60
_PROGRAMS = ("php", "mariadbd", "mariadb-install-db", "mariadb")
_CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_ENVIRONMENT_TYPE', 'local');
define('WP_HOME', '{url}');
define('WP_SITEURL', '{url}');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {{
    define($name . '_KEY', 'only for a test');
    define($name . '_SALT', 'only for a test');
}}
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {{ define('ABSPATH', __DIR__ . '/'); }}
require_once ABSPATH . 'wp-settings.php';
"""
#: Makes the site, a second user who may not moderate, and a password for each; prints them.
_INSTALL = """
define('WP_INSTALLING', true);
require 'wp-load.php';
require 'wp-admin/includes/upgrade.php';
wp_install('Copperleaf', 'editor', 'editor@copperleaf.example', true, '', 'not-used');
$made = [];
$writer = ['user_login' => 'writer', 'user_pass' => 'x', 'user_email' => 'w@copperleaf.example', 'role' => 'author'];
$writer = wp_insert_user($writer);
foreach (['editor' => 1, 'writer' => $writer] as $name => $id) {
    [$made[$name]] = WP_Application_Passwords::create_new_application_password($id, ['name' => 'Tandem']);
}
update_option('comment_moderation', 0);
update_option('comment_previously_approved', 0);
update_option('require_name_email', 1);
wp_delete_comment(1, true);
$article = ['post_title' => 'How to brew', 'post_content' => '...', 'post_status' => 'publish', 'post_author' => 1];
$made['post'] = wp_insert_post($article);
echo json_encode($made);
"""


@dataclass(frozen=True, kw_only=True)
class WordPress:
    """A running site."""

    home: Path
    url: str
    #: application passwords by user: `editor` may moderate comments, `writer` may not
    passwords: dict[str, str]
    #: an article
    post: int

    def php(self, program: str) -> str:
        """Run a program inside the site, as a plugin would; return what it prints."""
        command = ["php", "-r", f"require 'wp-load.php'; {program}"]
        done = subprocess.run(command, cwd=self.home / "site", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def comment(self, name: str, text: str, parent: int = 0, *, is_approved: bool = True, date: str = "") -> int:
        """Let a reader comment; `date` is the moment in UTC, now without one."""
        data = {
            "comment_post_ID": self.post,
            "comment_author": name,
            "comment_author_email": f"{name.lower()}@example.com",
            "comment_content": text,
            "comment_parent": parent,
            "comment_approved": int(is_approved),
        } | ({"comment_date_gmt": date, "comment_date": date} if date else {})
        return int(self.php(f"echo wp_insert_comment(json_decode({json.dumps(json.dumps(data))}, true));"))

    def shown(self, parent: int) -> list[tuple[str, str]]:
        """Return author and words of the approved answers to a comment, as the page shows them, oldest first."""
        program = (
            f"foreach (get_comments(['parent' => {parent}, 'status' => 'approve', 'order' => 'ASC']) as $c)"
            " { $made[] = [$c->comment_author, get_comment_text($c)]; } echo json_encode($made ?? []);"
        )
        return [(author, text) for author, text in json.loads(self.php(program))]


def _give_up(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def running() -> Iterator[WordPress]:
    """Run a site until the block ends; without Debian's packages the test is skipped, and fails in CI."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing or not SOURCE.is_dir():
        _give_up("the WordPress tests need: apt-get install wordpress php-cli php-mysql mariadb-server")
    home = Path(tempfile.mkdtemp(prefix="wordpress-"))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        servers.append(_database(home))
        _copy(home, url)
        made = json.loads(_run(["php", "-r", _INSTALL], home / "site").splitlines()[-1])
        post = made.pop("post")
        # One call at a time is PHP's own server; several wait on each other like a busy site's.
        environ = os.environ | {"PHP_CLI_SERVER_WORKERS": "2"}
        command = ["php", "-q", "-S", f"127.0.0.1:{port}", "-t", str(home / "site")]
        servers.append(subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        _wait(lambda: _answers(f"{url}/?rest_route=/"), "WordPress")
        yield WordPress(home=home, url=url, passwords=made, post=int(post))
    finally:
        for server in reversed(servers):
            server.terminate()
            server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _database(home: Path) -> subprocess.Popen[bytes]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    data, socket = home / "data", home / "db"
    user = ["--user=root"] if os.getuid() == 0 else []
    install = [shutil.which("mariadb-install-db", path=path) or "", "--no-defaults", f"--datadir={data}"]
    _run([*install, "--auth-root-authentication-method=normal", "--skip-test-db", *user], home)
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M"]
    command = [shutil.which("mariadbd", path=path) or "", "--no-defaults", f"--datadir={data}", f"--socket={socket}"]
    command += ["--skip-networking", f"--pid-file={home}/pid", *quick, *user]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ask = ["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", "CREATE DATABASE IF NOT EXISTS wordpress"]
    _wait(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, "MariaDB")
    return server


def _copy(home: Path, url: str) -> None:
    site = home / "site"
    shutil.copytree(SOURCE, site, symlinks=False, ignore=shutil.ignore_patterns("wp-config.php", "themes", "plugins"))
    (site / "wp-config.php").write_text(_CONFIG.format(socket=home / "db", url=url))
    for name in ("themes", "plugins"):
        (site / "wp-content" / name).mkdir(parents=True, exist_ok=True)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        _give_up(f"{command[0]} failed: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=10, trust_env=False).status_code == httpx.codes.OK
    return False


def _wait(is_ready: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until:
        if is_ready():
            return
        time.sleep(0.1)
    _give_up(f"{what} did not start")
