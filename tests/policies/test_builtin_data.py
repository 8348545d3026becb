"""What the files of the built-in catalogue say: enough of it, from somewhere, and nothing that a user could abuse."""

from __future__ import annotations

import re
from functools import cache

import pytest

from policies.builtin.schema import Entry, RuleEntry, read_catalogue
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.patterns import is_regex, normal_pattern
from policies.engine.rules import FileRule
from policies.models import Category

MICROSOFT = "O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
SCRIPTS = ("patch.ps1", "patch.psm1", "patch.bat", "patch.cmd", "patch.vbs", "patch.js", "patch.py", "patch.sh")
AGENTS = {Category.RMM, Category.REMOTE_SUPPORT}
PROTECTED = {
    "windows": ("c:\\program files\\", "c:\\program files (x86)\\", "c:\\windows\\"),
    "linux": ("/usr/", "/opt/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/snap/", "/var/lib/dpkg/",
              "/var/lib/flatpak/", "/var/ossec/"),
    "macos": ("/System/", "/usr/", "/bin/", "/sbin/", "/Applications/", "/Library/"),
}  # fmt: skip
OPEN_TO_USERS = tuple(
    f"c:\\windows\\{name}\\" for name in ("temp", "tasks", "tracing", r"system32\tasks", r"system32\spool")
)


@cache
def catalogue() -> tuple[Entry, ...]:
    return tuple(read_catalogue())


def each_entry() -> list[object]:
    return [pytest.param(entry, id=entry.key) for entry in catalogue()]


@cache
def engine(os: str) -> Engine:
    applications = [
        Application(
            entry.key,
            entry.name,
            True,
            tuple(FileRule(f"{entry.key}-{n}", *rule.conditions) for n, rule in enumerate(entry.rules, start=1)),
        )
        for entry in catalogue()
        if entry.os == os
    ]
    return Engine(applications, (), os)


def matching(path: str, os: str = "windows", certificate: str = "") -> set[str]:
    facts = FileFacts(path=path, certificates=(certificate,) if certificate else (), os=os)
    return set(engine(os).matching_rules(normal_facts(facts)))


def users_can_write(rule: RuleEntry, os: str) -> bool:
    """Whether a place that the rule's path covers may be one where ordinary users put files."""
    pattern = normal_pattern(rule.path, os)
    if is_regex(pattern):
        pattern = re.sub(r"\\(.)", r"\1", pattern.removeprefix("regex:").split("[")[0])
    literal = re.split(r"[*?]", pattern)[0]
    inside = any(literal.startswith(root) for root in PROTECTED[os])
    reaches_open = any(root.startswith(literal) or literal.startswith(root) for root in OPEN_TO_USERS)
    names_nothing = os == "windows" and literal in PROTECTED[os] and pattern.endswith("*")
    return not inside or reaches_open or names_nothing


def test_the_catalogue_covers_what_providers_meet() -> None:
    by_os = [entry.os for entry in catalogue()]
    assert by_os.count("windows") >= 115
    assert by_os.count("linux") + by_os.count("macos") >= 14


@pytest.mark.parametrize("entry", each_entry())
def test_each_entry_says_where_it_is_from_and_what_it_could_be_misused_for(entry: Entry) -> None:
    assert any(source.url for source in entry.source)
    assert len(entry.risk) >= 30
    assert entry.description.endswith(".")


@pytest.mark.parametrize(
    ("path", "open_to_users"),
    [
        (r"%LOCALAPPDATA%\Acme\*", True), (r"%APPDATA%\Acme\acme.exe", True), (r"%TEMP%\*", True),
        (r"%ProgramData%\Acme\*", True), (r"C:\Acme\*", True), (r"*\acme.exe", True), (r"%SystemRoot%\*", True),
        (r"%SystemRoot%\Temp\acme.exe", True), (r"%PUBLIC%\acme.exe", True), (r"regex:c:\\users\\[a-z]+\\a\.exe", True),
        (r"%ProgramFiles%\Acme\*", False), (r"%ProgramFiles(x86)%\*\acme.exe", False), (r"%ProgramFiles%\*", True),
        (r"%SystemRoot%\Acme\acme.exe", False), (r"%CommonProgramFiles%\Acme\*", False),
    ],
)  # fmt: skip
def test_the_check_below_tells_folders_of_users_from_protected_ones(path: str, open_to_users: bool) -> None:
    assert users_can_write(RuleEntry(path=path), "windows") is open_to_users


@pytest.mark.parametrize("entry", each_entry())
def test_no_rule_without_signer_or_hash_reaches_where_users_write(entry: Entry) -> None:
    bare = [rule for rule in entry.rules if not (rule.certificate or rule.hash)]
    assert [rule.path for rule in bare if not rule.path or users_can_write(rule, entry.os)] == []


@pytest.mark.parametrize("entry", each_entry())
def test_no_rule_names_a_version_that_the_next_update_changes(entry: Entry) -> None:
    assert [rule.path for rule in entry.rules if re.search(r"\d+\.\d+", rule.path.replace("[0-9.]", ""))] == []


@pytest.mark.parametrize("entry", [e for e in catalogue() if e.category in AGENTS], ids=lambda e: e.key)
def test_an_agent_is_permitted_without_the_scripts_it_sends(entry: Entry) -> None:
    separator = "\\" if entry.os == "windows" else "/"
    for rule in entry.rules:
        folder = normal_pattern(rule.path, entry.os).rsplit(separator, 1)[0].replace("*", "abc123")
        for place in (folder, separator.join((folder, "scripts")), separator.join((folder, "packages", "run"))):
            for script in SCRIPTS:
                assert entry.key not in matching(separator.join((place, script)), entry.os)


@pytest.mark.parametrize(
    "entry", [e for e in catalogue() if e.os == "windows" and e.category in {"office", "browser", "documents"}],
    ids=lambda e: e.key,
)  # fmt: skip
def test_what_opens_files_from_outside_is_fenced_from_script_hosts(entry: Entry) -> None:
    fence = entry.ringfence or {}
    assert {r"*\powershell.exe", r"*\wscript.exe", r"*\mshta.exe"} <= set(fence["child_processes"]["entries"])
    assert fence["child_processes"]["mode"] == "enforce"


@pytest.mark.parametrize("entry", each_entry())
def test_what_a_rule_covers_belongs_to_no_other_application(entry: Entry) -> None:
    """Windows itself is signed in all of its folder, so an updater's files there may belong to it as well."""
    for rule in (rule for rule in entry.rules if not is_regex(rule.path)):
        path = normal_pattern(rule.path, entry.os).replace("*", "abc123")
        facts = FileFacts(
            path=path,
            certificates=(rule.certificate,) if rule.certificate else (),
            process=rule.process,
            created_by=normal_pattern(rule.created_by, entry.os).replace("*", "abc123"),
            os=entry.os,
        )
        keys = set(engine(entry.os).matching_rules(normal_facts(facts)))
        assert entry.key in keys
        assert keys - {entry.key, "windows-core"} == set()


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (r"C:\Program Files\7-Zip\7zFM.exe", "7-zip"),
        (r"C:\Program Files\Adobe\Acrobat DC\Acrobat\Acrobat.exe", "adobe-acrobat-reader"),
        (r"C:\Program Files (x86)\Common Files\Adobe\ARM\1.0\AdobeARM.exe", "adobe-acrobat-reader"),
        (r"C:\Program Files (x86)\Common Files\Adobe\OOBE\PDApp\P7\adobe_licutil.exe", "adobe-creative-cloud"),
        (r"C:\Program Files\Google\Chrome\Application\chrome.exe", "google-chrome"),
        (r"C:\Program Files\Google\Drive File Stream\122.0.1.0\GoogleDriveFS.exe", "google-drive"),
        (r"C:\Program Files (x86)\Google\Chrome Remote Desktop\1.0\remoting_host.exe", "chrome-remote-desktop"),
        (r"C:\Program Files\Mozilla Firefox\firefox.exe", "mozilla-firefox"),
        (r"C:\Program Files\Mozilla Thunderbird\thunderbird.exe", "mozilla-thunderbird"),
        (r"C:\Program Files\BraveSoftware\Brave-Browser\Application\brave.exe", "brave"),
        (r"C:\Program Files\PowerShell\7\pwsh.exe", "powershell-7"),
        (r"C:\Program Files\dotnet\dotnet.exe", "dotnet"),
        (r"C:\Program Files\Git\bin\bash.exe", "git-for-windows"),
        (r"C:\Program Files\Docker\Docker\Docker Desktop.exe", "docker-desktop"),
        (r"C:\Program Files\Microsoft SQL Server\MSSQL16.MSSQLSERVER\MSSQL\Binn\sqlservr.exe", "microsoft-sql-server"),
        (r"C:\Program Files (x86)\Microsoft SQL Server Management Studio 20\Common7\IDE\Ssms.exe",
         "sql-server-management-studio"),
        (r"C:\Program Files\Microsoft Visual Studio\2022\Community\Common7\IDE\devenv.exe", "visual-studio"),
        (r"C:\Program Files\Microsoft VS Code\Code.exe", "visual-studio-code"),
        (r"C:\Program Files\WindowsApps\Microsoft.WindowsTerminal_1.21.2361.0_x64__8wekyb3d8bbwe\wt.exe",
         "windows-terminal"),
        (r"C:\Program Files\WindowsApps\com.tinyspeck.slackdesktop_4.46.104.0_x64__8yrtsj140pw4g\app\Slack.exe",
         "slack"),
        (r"C:\Program Files\Zoom\bin\Zoom.exe", "zoom-workplace"),
        (r"C:\Program Files\Intuit\QuickBooks Enterprise Solutions 24.0\qbw.exe", "quickbooks-desktop"),
        (r"C:\Program Files (x86)\Sage\Peachtree\peachw.exe", "sage-50"),
        (r"C:\Program Files\Oracle\VirtualBox\VBoxManage.exe", "virtualbox"),
        (r"C:\Program Files\Java\jdk-21\bin\java.exe", "oracle-java"),
        (r"C:\Program Files\VMware\VMware Tools\vmtoolsd.exe", "vmware-tools"),
        (r"C:\Program Files\Palo Alto Networks\GlobalProtect\PanGPS.exe", "globalprotect"),
        (r"C:\Program Files\Palo Alto Networks\Traps\cydump.exe", "cortex-xdr"),
        (r"C:\Program Files (x86)\Cisco\Cisco Secure Client\vpnagent.exe", "cisco-secure-client"),
        (r"C:\Program Files\CrowdStrike\CSFalconService.exe", "crowdstrike-falcon"),
        (r"C:\Program Files\SentinelOne\Sentinel Agent 24.1.2.6\SentinelAgent.exe", "sentinelone"),
        (r"C:\Program Files\Huntress\HuntressAgent.exe", "huntress"),
        (r"C:\Program Files\Veeam\Endpoint Backup\Veeam.EndPoint.Tray.exe", "veeam-agent"),
        (r"C:\Program Files\Backup Manager\ClientTool.exe", "cove-data-protection"),
        (r"C:\Windows\LTSvc\LTSVC.exe", "connectwise-automate-agent"),
        (r"C:\Program Files (x86)\ScreenConnect Client (0123456789abcdef)\ScreenConnect.ClientService.exe",
         "screenconnect"),
        (r"C:\Program Files (x86)\CentraStage\CagService.exe", "datto-rmm"),
        (r"C:\Program Files\ATERA Networks\AteraAgent\AteraAgent.exe", "atera"),
        (r"C:\Program Files\TacticalAgent\tacticalrmm.exe", "tactical-rmm"),
        (r"C:\Windows\Action1\action1_agent.exe", "action1"),
        (r"C:\Program Files (x86)\Splashtop\Splashtop Remote\Server\SRService.exe", "splashtop-streamer"),
        (r"C:\Program Files (x86)\Dell\CommandUpdate\dcu-cli.exe", "dell-command-update"),
        (r"C:\Program Files\HP\hpqhvsei.dll", "hp-printer-software"),
        (r"C:\Program Files (x86)\HP\HP Support Framework\UninstallHPSA.exe", "hp-support-assistant"),
    ],
)  # fmt: skip
def test_a_well_known_program_belongs_to_one_application(path: str, key: str) -> None:
    assert matching(path) == {key}


@pytest.mark.parametrize(
    ("path", "certificate", "keys"),
    [
        (r"C:\Windows\System32\notepad.exe", f"CN=Microsoft Windows, {MICROSOFT}", {"windows-core"}),
        (r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18\MsMpEng.exe",
         f"CN=Microsoft Windows Publisher, {MICROSOFT}", {"microsoft-defender"}),
        (r"C:\Users\bob\AppData\Local\Microsoft\OneDrive\OneDrive.exe",
         f"CN=Microsoft Corporation, {MICROSOFT}", {"microsoft-onedrive"}),
        (r"C:\ProgramData\Package Cache\{7b178cda}\VC_redist.x64.exe",
         f"CN=Microsoft Corporation, {MICROSOFT}", {"visual-cpp-redistributable"}),
        (r"D:\Tools\procexp64.exe", f"CN=Microsoft Corporation, {MICROSOFT}", {"sysinternals"}),
        (r"D:\Tools\PsExec.exe", f"CN=Microsoft Corporation, {MICROSOFT}", set()),
        (r"C:\Users\bob\AppData\Local\GitHubDesktop\app-3.4.1\GitHubDesktop.exe",
         'CN="GitHub, Inc.", O="GitHub, Inc.", L=San Francisco, S=California, C=US', {"github-desktop"}),
        (r"C:\Users\bob\AppData\Local\GitHubDesktop\GitHubDesktop.exe", "", set()),
        (r"C:\Users\bob\AppData\Local\Dropbox\Client\Dropbox.exe", "CN=Evil, O=Evil, C=US", set()),
        (r"C:\ProgramData\NinjaRMMAgent\ninjarmm-cli.exe", "", set()),
        (r"C:\Windows\Temp\agent.exe", "", set()),
    ],
)  # fmt: skip
def test_a_signature_counts_where_the_folder_is_not_protected(path: str, certificate: str, keys: set[str]) -> None:
    assert matching(path, certificate=certificate) == keys


@pytest.mark.parametrize(
    ("path", "os", "keys"),
    [
        ("/opt/google/chrome/chrome", "linux", {"google-chrome-linux"}),
        ("/opt/NinjaRMMAgent/programfiles/ninjarmm-linagent", "linux", {"ninjaone-agent-linux"}),
        ("/opt/CrowdStrike/falcond", "linux", {"crowdstrike-falcon-linux"}),
        ("/var/ossec/bin/wazuh-agentd", "linux", {"wazuh-agent-linux"}),
        ("/var/ossec/active-response/bin/block.sh", "linux", set()),
        ("/home/bob/chrome", "linux", set()),
        ("/Applications/zoom.us.app/Contents/MacOS/zoom.us", "macos", {"zoom-macos"}),
        ("/usr/local/jamf/bin/jamf", "macos", {"jamf-pro"}),
        ("/Users/bob/Applications/Slack.app/Contents/MacOS/Slack", "macos", set()),
    ],
)
def test_programs_of_linux_and_macos_belong_to_one_application(path: str, os: str, keys: set[str]) -> None:
    assert matching(path, os) == keys
