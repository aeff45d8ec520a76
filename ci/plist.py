"""Holds launchd's property list against launchd.plist(5): it is one, every key is known there, and each value has the type
that the manual asks for; and it says what the daemon relies on. Needs nothing but Python; runs on any system."""

import pathlib
import plistlib
import sys

PATH = pathlib.Path(__file__).parent.parent / "launchd" / "dev.callboard.daemon.plist"
HOME, PROGRAM = "/srv/ada & <eve>", "/opt/R&D/callboard"

# A dictionary names its keys, a list its one member type; a tuple gives a choice; ANY_KEY stands for names of one's own.
ANY_KEY = "*"
TRIGGER = (bool, {ANY_KEY: bool})
CALENDAR = {key: int for key in ("Minute", "Hour", "Day", "Weekday", "Month")}
LIMITS = {
    key: int
    for key in (
        "Core", "CPU", "Data", "FileSize", "MemoryLock", "NumberOfFiles", "NumberOfProcesses", "ResidentSetSize", "Stack",
    )
}
SOCKET = {
    "SockType": ("stream", "dgram", "seqpacket"),
    "SockPassive": bool,
    "SockNodeName": str,
    "SockServiceName": (str, int),
    "SockFamily": ("IPv4", "IPv6", "IPv4v6", "Unix"),
    "SockProtocol": ("TCP", "UDP"),
    "SockPathName": str,
    "SecureSocketWithKey": str,
    "SockPathOwner": int,
    "SockPathGroup": int,
    "SockPathMode": int,
    "Bonjour": (bool, str, [str]),
    "MulticastGroup": str,
    "ReceivePacketInfo": bool,
}
KEYS = {
    "Label": str,
    "Disabled": bool,
    "UserName": str,
    "GroupName": str,
    "inetdCompatibility": {"Wait": bool},
    "LimitLoadToHosts": [str],
    "LimitLoadFromHosts": [str],
    "LimitLoadToSessionType": (str, [str]),
    "LimitLoadToHardware": {ANY_KEY: [str]},
    "LimitLoadFromHardware": {ANY_KEY: [str]},
    "Program": str,
    "BundleProgram": str,
    "ProgramArguments": [str],
    "EnableGlobbing": bool,
    "EnableTransactions": bool,
    "EnablePressuredExit": bool,
    "OnDemand": bool,
    "ServiceIPC": bool,
    "KeepAlive": (
        bool,
        {
            "SuccessfulExit": bool,
            "NetworkState": bool,
            "PathState": {ANY_KEY: bool},
            "OtherJobEnabled": {ANY_KEY: bool},
            "Crashed": bool,
            "AfterInitialDemand": bool,
        },
    ),
    "RunAtLoad": bool,
    "RootDirectory": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": {ANY_KEY: str},
    "Umask": (int, str),
    "TimeOut": int,
    "ExitTimeOut": int,
    "ThrottleInterval": int,
    "InitGroups": bool,
    "WatchPaths": [str],
    "QueueDirectories": [str],
    "StartOnMount": bool,
    "StartInterval": int,
    "StartCalendarInterval": (CALENDAR, [CALENDAR]),
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Debug": bool,
    "WaitForDebugger": bool,
    "SoftResourceLimits": LIMITS,
    "HardResourceLimits": LIMITS,
    "Nice": int,
    "ProcessType": ("Background", "Standard", "Adaptive", "Interactive"),
    "AbandonProcessGroup": bool,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "MaterializeDatalessFiles": bool,
    "LaunchOnlyOnce": bool,
    "MachServices": {ANY_KEY: (bool, {"ResetAtClose": bool, "HideUntilCheckIn": bool})},
    "Sockets": {ANY_KEY: (SOCKET, [SOCKET])},
    "LaunchEvents": {ANY_KEY: {ANY_KEY: dict}},
    "HopefullyExitsLast": bool,
    "HopefullyExitsFirst": bool,
    "SessionCreate": bool,
    "LegacyTimers": bool,
    "AssociatedBundleIdentifiers": (str, [str]),
}


def fits(value, form):
    """Whether `value` has the type, the one literal, one of the choices, or the keys and members that `form` says."""
    if isinstance(form, tuple):
        return any(fits(value, choice) for choice in form)
    if isinstance(form, str):
        return value == form
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(member, form[0]) for member in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            fits(member, form.get(key, form.get(ANY_KEY, ()))) for key, member in value.items()
        )
    # A bool is an int to Python, and not to launchd.
    return type(value) is form


def filled():
    """The list as `callboard service install` writes it."""
    comment, body = PATH.read_text().split("<plist", 1)
    for place, text in (("__HOME__", HOME), ("__CALLBOARD__", PROGRAM)):
        body = body.replace(place, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return f"{comment}<plist{body}".encode()


def broken_promises(job):
    """What the daemon, the installer or a person relies on, and the list does not say."""
    socket = job["Sockets"]["callboard"]
    promises = {
        "the label is the file's name": f"{job['Label']}.plist" == PATH.name,
        "it runs in the foreground": job["ProgramArguments"] == [PROGRAM, "daemon"],
        "the socket is the one in the default home": socket["SockPathName"] == f"{HOME}/.callboard/callboard.sock",
        "the socket is for its user alone": socket["SockPathMode"] == 0o600,
        "what it writes is for its user alone": job["Umask"] == 0o077,
        "only a crash brings it back by itself": job["KeepAlive"] == {"Crashed": True},
        "it logs into its home": {job["StandardOutPath"], job["StandardErrorPath"]} == {f"{HOME}/.callboard/daemon.log"},
        "each of 4,096 connections has two descriptors": job["SoftResourceLimits"]["NumberOfFiles"] >= 2 * 4096 + 64,
        "launchctl's wait for its end is shorter than the installer's": job["ExitTimeOut"] < 40,
    }
    return [promise for promise, is_kept in promises.items() if not is_kept]


def main():
    job = plistlib.loads(filled(), fmt=plistlib.FMT_XML)
    wrong = [f"{key} = {value!r}: launchd.plist(5) knows no such thing" for key, value in job.items() if not fits(value, KEYS.get(key, ()))]
    wrong = wrong or [f"not so: {promise}" for promise in broken_promises(job)]
    for line in wrong:
        print(f"{PATH.name}: {line}", file=sys.stderr)
    if not wrong:
        print(f"{PATH.name}: {len(job)} keys, all as in launchd.plist(5)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
