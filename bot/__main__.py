"""The command line: `python -m bot COMMAND`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bot import logs, settings
from bot.domain.errors import SettingsError, TandemError
from bot.settings import Settings

Command = Callable[[Settings, argparse.Namespace], int]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; what an operator has to change is said in one line."""
    arguments = _parser().parse_args(argv)
    try:
        chosen = settings.load(os.environ, arguments.settings)
        logs.configure(chosen.log.level, chosen.log.format, chosen.secrets())
        command: Command = arguments.command
        return command(chosen, arguments)
    except SettingsError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 2
    except TandemError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tandem: {error.filename or 'the machine'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Tandem answers customers who message your accounts, and hands what it cannot resolve to people.",
        epilog="Settings come from the file given here or in TANDEM_SETTINGS, and from TANDEM_SECTION__NAME variables; "
        "deploy/tandem.example.toml explains them all.",
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="the settings file (TOML)")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Command, summary: str, details: str = "") -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=f"{summary} {details}".strip())
        made.set_defaults(command=command)
        return made

    add("run", _run, "Start everything in one process.", "Trains a model first if the training data changed.")
    add("web", _web, "Start only what takes webhooks and serves pages.", "Several may share one PostgreSQL.")
    add("worker", _worker, "Start only what answers: the engine and the workers.", "Several may share one PostgreSQL.")
    train = add(
        "train", _train, "Train a model from config.yml, domain.yml and data/.", "A running service takes it over."
    )
    train.add_argument("--force", action="store_true", help="train even if nothing changed")
    add("report", _report, "Write down what training found out about the model, with pictures, into var/report.")
    add("doctor", _doctor, "Check settings, tokens, database, model and channels, and say what to fix.")
    channels = add("channels", _channels, "List all channels with how each account is, and what waits on it.")
    channels.add_argument("--json", action="store_true", help="for programs")
    channels.add_argument("--offline", action="store_true", help="ask the channels nothing")
    _add_connecting(add("connect", _connect, "Set up an account on a channel, step by step, and try it."))
    _add_backup(add("backup", _backup, "Copy everything to one file while the service works on."))
    _add_restore(add("restore", _restore, "Bring a backup back, and send nothing twice.", "Stop Tandem before."))
    add("migrate", _migrate, "Bring the database to this version's schema.")
    add("desk-link", _desk_link, "Print a new one-time link to the local desk.")
    _add_simulation(add("simulate", _simulate, "Play customers on channels of this machine, in good or bad weather."))
    _add_slack(add("slack", _manifest, "Make the Slack app.", "Without more, prints its manifest."))
    _add_letters(add("dead-letters", _list_letters, "Look at what was given up on.", "Without more, lists them."))
    _add_media(add("media", _sweep, "Delete files of customers and agents."))
    return parser


def _add_slack(parser: argparse.ArgumentParser) -> None:
    _add_manifest(parser)
    manifest = parser.add_subparsers(metavar="ACT").add_parser("manifest", help="print what Slack makes the app from")
    manifest.set_defaults(command=_manifest)
    _add_manifest(manifest)


def _add_letters(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(metavar="ACT")
    acts.add_parser("list", help="list them").set_defaults(command=_list_letters)
    for name, command, summary in (("retry", _retry, "try one again"), ("drop", _drop, "delete one for good")):
        act = acts.add_parser(name, help=summary)
        act.add_argument("letter", metavar="ID", help="as listed, like outbox:12")
        act.set_defaults(command=command)


def _add_media(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(metavar="ACT", required=True)
    acts.add_parser("sweep", help="delete those in no message, a day old").set_defaults(command=_sweep)
    erase = acts.add_parser("erase", help="delete all of a customer's, or of a conversation")
    whose = erase.add_mutually_exclusive_group(required=True)
    whose.add_argument("--conversation", metavar="ID", help="of this conversation")
    whose.add_argument("--customer", metavar="ID", help="of all conversations with this customer of your records")
    erase.set_defaults(command=_erase_media)


def _add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup to write; must not be there yet")


def _add_restore(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the backup to bring back")
    which.add_argument("--in-place", action="store_true", help="the database was brought back by other means")
    parser.add_argument(
        "--until",
        type=_moment,
        metavar="MOMENT",
        help="when the lost database was in use last, as 2026-11-22T09:30Z (now): what was written later is answered",
    )


def _moment(written: str) -> datetime:
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{written} has no time zone; write it as 2026-11-22T09:30Z")
    return moment


def _add_connecting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL", help="as `channels` lists them, like telegram")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="a member of the section; may come often")
    parser.add_argument("--another", action="store_true", help="one more account beside the one that is there")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take --set, the environment and the file")
    parser.add_argument(
        "--offline", action="store_true", help="write the settings file alone, and ask the channel nothing"
    )
    parser.add_argument(
        "--wait", type=float, default=180.0, metavar="SECONDS", help="for the first message (180); 0: not"
    )


def _add_simulation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--channel", metavar="NAMES", help="with commas between them; by default all there are")
    parser.add_argument("--customers", type=int, default=20, metavar="COUNT", help="who write at once (20)")
    parser.add_argument("--minutes", type=float, default=1.0, metavar="MINUTES", help="that they write for (1)")
    parser.add_argument("--seed", type=int, default=1, help="what they and the weather do follows from it (1)")
    parser.add_argument("--faults", choices=("none", "light", "heavy"), default="light", help="the weather (light)")
    parser.add_argument("--watch", action="store_true", help="go on until Ctrl-C, with a link to the desk")


def _add_manifest(parser: argparse.ArgumentParser) -> None:
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--url", metavar="URL", help="our public address, for HTTP; by default the settings' one")
    ways.add_argument("--socket-mode", action="store_true", help="for Socket Mode, which needs no address")


def _run(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.run import run
    from bot.parts import Role

    return run(chosen, Role.WEB | Role.WORKER)


def _web(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.run import run
    from bot.parts import Role

    return run(chosen, Role.WEB)


def _worker(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.run import run
    from bot.parts import Role

    return run(chosen, Role.WORKER)


def _report(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.models import report

    return report(chosen)


def _train(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.models import train

    return train(chosen, is_forced=arguments.force)


def _doctor(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.doctor import doctor

    return doctor(chosen)


def _channels(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.channels import channels

    return channels(chosen, is_json=arguments.json, is_offline=arguments.offline)


def _backup(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.backup import backup

    return backup(chosen, arguments.file)


def _restore(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.restore import restore, settle_in_place

    if arguments.in_place:
        return settle_in_place(chosen, arguments.until)
    return restore(chosen, arguments.file, arguments.until)


def _migrate(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.store.archives import open_for_a_moment
    from bot.store.migrating import migrate

    with open_for_a_moment(chosen.service.database) as engine:
        revision = migrate(engine)
    print(f"The database is at {revision} now." if revision else "Nothing to do: the database is up to date.")
    return 0


def _desk_link(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.desk_link import desk_link

    return desk_link(chosen)


def _connect(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.connect import connect

    return connect(chosen, arguments, os.environ, settings.file_of(os.environ, arguments.settings))


def _simulate(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.simulate import simulate

    return simulate(chosen, arguments)


def _manifest(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.slack import manifest

    return manifest(chosen, arguments.url, is_socket_mode=arguments.socket_mode)


def _sweep(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.media import sweep

    return sweep(chosen)


def _erase_media(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.media import erase

    return erase(chosen, arguments.conversation, arguments.customer)


def _list_letters(chosen: Settings, _: argparse.Namespace) -> int:
    from bot.commands.dead_letters import list_them

    return list_them(chosen)


def _retry(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.dead_letters import retry

    return retry(chosen, arguments.letter)


def _drop(chosen: Settings, arguments: argparse.Namespace) -> int:
    from bot.commands.dead_letters import drop

    return drop(chosen, arguments.letter)


if __name__ == "__main__":
    # What is written holds what customers say: it is for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
