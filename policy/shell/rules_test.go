package shell_test

import (
	"testing"

	"hoop/policy"
	"hoop/policy/shell"
)

func compile(t interface {
	Helper()
	Fatal(...any)
}, rules ...policy.RuleSpec) *policy.Policy {
	t.Helper()
	for i := range rules {
		rules[i].Name = string(rune('a' + i))
	}
	p, err := policy.Compile([]policy.Document{{Rules: rules}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allow(s policy.SSHSpec, actions ...string) policy.RuleSpec {
	return policy.RuleSpec{Effect: "allow", SSH: &s, Actions: actions}
}

func deny(s policy.SSHSpec, actions ...string) policy.RuleSpec {
	return policy.RuleSpec{Effect: "deny", SSH: &s, Actions: actions}
}

func ask(s policy.SSHSpec, actions ...string) policy.RuleSpec {
	return policy.RuleSpec{Effect: "require_approval", SSH: &s, Actions: actions}
}

func verbs(actions ...string) policy.RuleSpec {
	return policy.RuleSpec{Effect: "allow", Actions: actions}
}

// decide gives effect and deciding rule.
func decide(p *policy.Policy, verb string, q policy.SSHRequest) string {
	alice := policy.Principal{ID: "1", Name: "alice", Kind: policy.Person}
	v := p.Evaluate(&policy.Input{Principal: &alice, Connection: &policy.Connection{Name: "web-1", Protocol: "ssh"},
		Action: q.Action(verb, shell.Describe)})
	return v.Effect.String() + " " + v.Rule
}

func commands(list ...string) policy.SSHSpec { return policy.SSHSpec{Commands: list} }

func TestCommandRules(t *testing.T) {
	any := verbs("ssh.exec")
	for _, c := range []struct {
		rules   []policy.RuleSpec
		command string
		want    string
	}{
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl status nginx", "allow a"},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl  status  'nginx'", "allow a"},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl status a b", "allow a"},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl status", "deny "},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl status a -H b", "deny "},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "systemctl status a; b", "deny "},
		{[]policy.RuleSpec{allow(commands("systemctl status *"))}, "/tmp/systemctl status a", "deny "},
		{[]policy.RuleSpec{allow(commands("ls **"))}, "ls", "allow a"},
		{[]policy.RuleSpec{allow(commands("ls **"))}, "ls -la /", "allow a"},
		{[]policy.RuleSpec{allow(commands("**"))}, "anything at all", "allow a"},
		{[]policy.RuleSpec{allow(commands("**"))}, "anything | at all", "deny "},
		{[]policy.RuleSpec{allow(commands("cp * /srv/*"))}, "cp a /srv/b", "allow a"},
		{[]policy.RuleSpec{allow(commands("cp * /srv/*"))}, "cp a /srv/../etc/b", "deny "},
		{[]policy.RuleSpec{allow(commands("cp * /srv/*"))}, "cp a /srv/..", "deny "},
		{[]policy.RuleSpec{allow(commands("cp * /srv/*"))}, "cp -t/etc /srv/b", "deny "},
		{[]policy.RuleSpec{allow(commands("cp * /srv/*"))}, "cp a /srv/b /etc", "deny "},
		{[]policy.RuleSpec{allow(commands("journalctl --since=* -u *"))}, "journalctl --since='2 h ago' -u nginx", "allow a"},
		{[]policy.RuleSpec{allow(commands("psql -c 'select 1; --*' *"))}, "psql -c 'select 1; --*' db", "allow a"},
		{[]policy.RuleSpec{allow(commands("ps aux | grep nginx"))}, "ps aux | grep nginx", "allow a"},
		{[]policy.RuleSpec{allow(commands("ps aux | grep nginx"))}, "ps aux '|' grep nginx", "deny "},
		{[]policy.RuleSpec{allow(commands("ps aux | grep nginx"))}, "ps aux | grep nginx ", "deny "},
		{[]policy.RuleSpec{allow(commands("uptime"))}, " uptime", "allow a"},
		{[]policy.RuleSpec{allow(commands("uptime"))}, "uptime -V", "deny "},

		// Rules that deny reach what may match.
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "ls -l", "allow b"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "ls | wc -l", "allow b"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "rm x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "/bin/rm x", "deny a"},
		{[]policy.RuleSpec{deny(commands("/bin/rm **")), any}, "rm x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "ls; rm x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "sudo -u bob env A=b rm x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "sh -c 'rm x'", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "r''m x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "$X x", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "sh", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "echo 'unfinished", "deny a"},
		{[]policy.RuleSpec{deny(commands("rm **")), any}, "echo rm", "allow b"},
		{[]policy.RuleSpec{deny(commands("rm *")), any}, "rm -rf x", "deny a"},
		{[]policy.RuleSpec{deny(commands("systemctl stop *")), any}, "systemctl -H there stop x", "deny a"},
		{[]policy.RuleSpec{deny(commands("systemctl stop *")), any}, "systemctl status x", "allow b"},
		{[]policy.RuleSpec{deny(commands("systemctl stop *")), any}, "systemctl status x | head", "deny a"},
		{[]policy.RuleSpec{deny(commands("/opt/*")), any}, "/opt/x", "deny a"},
		{[]policy.RuleSpec{ask(commands("rm **")), any}, "ls; rm x", "require_approval a"},
		{[]policy.RuleSpec{ask(commands("rm **")), any}, "ls", "allow b"},
		{[]policy.RuleSpec{ask(commands("rm **"))}, "ls; rm x", "deny "},

		{[]policy.RuleSpec{allow(policy.SSHSpec{Simple: pointer(true)})}, "ls a", "allow a"},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Simple: pointer(true)})}, "ls > a", "deny "},
		{[]policy.RuleSpec{ask(policy.SSHSpec{Simple: pointer(false)}), any}, "ls > a", "require_approval a"},
		{[]policy.RuleSpec{verbs("ssh.*")}, "ls > a", "allow a"},
	} {
		p := compile(t, c.rules...)
		if got := decide(p, policy.SSHExec, policy.SSHRequest{Command: c.command}); got != c.want {
			t.Errorf("%+v: %s: %s, want %s", c.rules[0].SSH, c.command, got, c.want)
		}
	}
}

func pointer[T any](v T) *T { return &v }

func TestRequestRules(t *testing.T) {
	paths := func(list ...string) policy.SSHSpec { return policy.SSHSpec{Paths: list} }
	only := func(list ...string) policy.SSHSpec { return policy.SSHSpec{OnlyPaths: list} }
	hosts := func(list ...string) policy.SSHSpec { return policy.SSHSpec{Hosts: list} }
	file := func(path, to string) policy.SSHRequest { return policy.SSHRequest{Path: path, NewPath: to} }
	host := func(h string) policy.SSHRequest { return policy.SSHRequest{Host: h, Port: 80} }
	for _, c := range []struct {
		rules []policy.RuleSpec
		verb  string
		q     policy.SSHRequest
		want  string
	}{
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPWrite, file("/srv/a/b", ""), "allow a"},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPWrite, file("/srv", ""), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPWrite, file("/srv/../etc/passwd", ""), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPWrite, file("srv/a", ""), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPWrite, file("", ""), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPRename, file("/srv/a", "/srv/b"), "allow a"},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPRename, file("/srv/a", "/etc/b"), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPLink, file("/srv/a", "../etc"), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTPLink, file("/srv/a", ""), "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHSFTP, policy.SSHRequest{}, "allow a"},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHExec, policy.SSHRequest{Command: "a"}, "deny "},
		{[]policy.RuleSpec{allow(only("/srv/*"))}, policy.SSHForwardLocal, host("a"), "deny "},
		{[]policy.RuleSpec{allow(paths("/run/docker.sock"))}, policy.SSHForwardLocal, file("/run/docker.sock", ""), "allow a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPWrite, file("/home/bob/.ssh/rc", ""), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPWrite, file("/home/bob/x/../.ssh/rc", ""), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPWrite, file(".ssh/rc", ""), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPWrite, file("/home/bob/ssh/rc", ""), "allow b"},
		{[]policy.RuleSpec{deny(paths("/home/*/.bash*")), verbs("ssh.*")}, policy.SSHSFTPWrite, file("/home/bob/.bashrc", ""), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.bash*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/tmp/x", "/home/bob/.bashrc"), "deny a"},
		// Whoever moves a folder moves what is in it, into the reach of a rule or out of it.
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/home/bob/.ssh", "/home/bob/old"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/tmp/keys", "/home/bob/.ssh"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/home/bob/", "/home/eve"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/", "/x"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPLink, file("/home/bob/.ssh", "/tmp/keys"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/etc/shadow")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/etc", "/tmp/etc"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.bash*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/home/bob", "/home/eve"), "deny a"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/home/bob/a", "/home/bob/b"), "allow b"},
		{[]policy.RuleSpec{deny(paths("/home/*/.ssh/*")), verbs("ssh.*")}, policy.SSHSFTPList, file("/home/bob/.ssh", ""), "allow b"},
		{[]policy.RuleSpec{ask(paths("/srv/app/*")), verbs("ssh.*")}, policy.SSHSFTPRename, file("/srv/app", "/srv/b"), "require_approval a"},
		{[]policy.RuleSpec{allow(paths("/srv/app/*"))}, policy.SSHSFTPRename, file("/srv/app", "/srv/b"), "deny "},

		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("10.0.0.1 x.internal"), "deny "},
		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("evil.example\x00.internal"), "deny "},
		{[]policy.RuleSpec{deny(hosts("evil.example")), verbs("ssh.*")}, policy.SSHForwardLocal, host("evil.example\x00x"), "deny a"},
		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("/run/x.internal"), "deny "},
		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("a-b_c.internal"), "allow a"},
		{[]policy.RuleSpec{allow(hosts("db.internal"))}, policy.SSHForwardLocal, host("DB.internal."), "allow a"},
		{[]policy.RuleSpec{allow(hosts("db.internal"))}, policy.SSHForwardLocal, host("db.internal.evil"), "deny "},
		{[]policy.RuleSpec{allow(hosts("db.internal"))}, policy.SSHForwardLocal, file("/run/x", ""), "deny "},
		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("db.internal"), "allow a"},
		{[]policy.RuleSpec{allow(hosts("*.internal"))}, policy.SSHForwardLocal, host("evilinternal"), "deny "},
		{[]policy.RuleSpec{allow(hosts("10.0.0.0/8"))}, policy.SSHForwardLocal, host("10.1.2.3"), "allow a"},
		{[]policy.RuleSpec{allow(hosts("10.0.0.0/8"))}, policy.SSHForwardLocal, host("::ffff:10.1.2.3"), "allow a"},
		{[]policy.RuleSpec{allow(hosts("10.0.0.0/8"))}, policy.SSHForwardLocal, host("db"), "deny "},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("localhost"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("2130706433"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("127.1"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("0x7f.0.0.1"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("0.0.0.0"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("::ffff:127.0.0.1"), "deny a"},
		{[]policy.RuleSpec{deny(hosts("127.0.0.0/8")), verbs("ssh.*")}, policy.SSHForwardLocal, host("10.0.0.1"), "allow b"},
		{[]policy.RuleSpec{deny(hosts("db.internal")), verbs("ssh.*")}, policy.SSHForwardLocal, host("10.0.0.1"), "deny a"},
		{[]policy.RuleSpec{allow(hosts("*"))}, policy.SSHForwardLocal, host("::1"), "allow a"},

		{[]policy.RuleSpec{allow(policy.SSHSpec{Ports: []string{"5432", "8000-8999"}})}, policy.SSHForwardLocal, policy.SSHRequest{Host: "a", Port: 8999}, "allow a"},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Ports: []string{"5432", "8000-8999"}})}, policy.SSHForwardLocal, policy.SSHRequest{Host: "a", Port: 9000}, "deny "},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Ports: []string{"5432"}})}, policy.SSHForwardRemote, policy.SSHRequest{Host: "a"}, "deny "},

		{[]policy.RuleSpec{deny(policy.SSHSpec{Ports: []string{"22"}}), verbs("ssh.*")}, policy.SSHForwardLocal, policy.SSHRequest{Host: "a", Port: 65536 + 22}, "deny a"},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Env: []string{"LANG", "LC_*"}})}, policy.SSHEnv, policy.SSHRequest{Env: "LC_ALL"}, "allow a"},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Env: []string{"LANG", "LC_*"}})}, policy.SSHEnv, policy.SSHRequest{Env: "LD_PRELOAD"}, "deny "},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Env: []string{"LANG", "LC_*"}})}, policy.SSHExec, policy.SSHRequest{Command: "LANG"}, "deny "},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Subsystems: []string{"netconf"}})}, policy.SSHSubsystem, policy.SSHRequest{Subsystem: "netconf"}, "allow a"},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Subsystems: []string{"netconf"}})}, policy.SSHSFTP, policy.SSHRequest{}, "deny "},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Logins: []string{"deploy"}})}, policy.SSHShell, policy.SSHRequest{Login: "deploy"}, "allow a"},
		{[]policy.RuleSpec{deny(policy.SSHSpec{Logins: []string{"root"}}), verbs("ssh.*")}, policy.SSHShell, policy.SSHRequest{Login: "deploy"}, "allow b"},
		{[]policy.RuleSpec{deny(policy.SSHSpec{Logins: []string{"root"}}), verbs("ssh.*")}, policy.SSHShell, policy.SSHRequest{}, "deny a"},
		{[]policy.RuleSpec{deny(policy.SSHSpec{PTY: pointer(true)}), verbs("ssh.*")}, policy.SSHExec, policy.SSHRequest{Command: "a", PTY: true}, "deny a"},
		{[]policy.RuleSpec{deny(policy.SSHSpec{PTY: pointer(true)}), verbs("ssh.*")}, policy.SSHExec, policy.SSHRequest{Command: "a"}, "allow b"},

		{[]policy.RuleSpec{verbs("ssh.*")}, policy.SSHUnknown, policy.SSHRequest{}, "deny "},
		{[]policy.RuleSpec{{Effect: "allow"}}, policy.SSHUnknown, policy.SSHRequest{}, "deny "},
		{[]policy.RuleSpec{allow(policy.SSHSpec{Unknown: pointer(true)})}, policy.SSHUnknown, policy.SSHRequest{}, "allow a"},
		{[]policy.RuleSpec{verbs("ssh.unknown")}, policy.SSHUnknown, policy.SSHRequest{}, "allow a"},
		{[]policy.RuleSpec{deny(commands("rm **")), verbs("ssh.unknown")}, policy.SSHUnknown, policy.SSHRequest{}, "deny a"},
	} {
		if got := decide(compile(t, c.rules...), c.verb, c.q); got != c.want {
			t.Errorf("%+v: %s %+v: %s, want %s", c.rules[0].SSH, c.verb, c.q, got, c.want)
		}
	}
}

func TestConditions(t *testing.T) {
	when := func(effect, text string) policy.RuleSpec { return policy.RuleSpec{Effect: effect, When: text} }
	any := verbs("ssh.*", "sql.*")
	for _, c := range []struct {
		rules []policy.RuleSpec
		verb  string
		q     policy.SSHRequest
		want  string
	}{
		{[]policy.RuleSpec{when("allow", `ssh.words[0] == "ls" && ssh.simple`)}, policy.SSHExec, policy.SSHRequest{Command: "ls a"}, "allow a"},
		{[]policy.RuleSpec{when("allow", `ssh.command.startsWith("ls ")`)}, policy.SSHExec, policy.SSHRequest{Command: "ls a"}, "allow a"},
		{[]policy.RuleSpec{when("allow", `ssh.words[0] == "ls"`)}, policy.SSHExec, policy.SSHRequest{Command: "ls a; b"}, "deny "},
		{[]policy.RuleSpec{when("allow", `ssh.host != "db"`)}, policy.SSHExec, policy.SSHRequest{Command: "ls"}, "deny "},
		{[]policy.RuleSpec{when("allow", `ssh.host != "db" && ssh.port == 80`)}, policy.SSHForwardLocal, policy.SSHRequest{Host: "web", Port: 80}, "allow a"},
		{[]policy.RuleSpec{when("allow", `!ssh.path.startsWith("/etc")`)}, policy.SSHSFTPRead, policy.SSHRequest{Path: "/srv/a"}, "allow a"},
		{[]policy.RuleSpec{when("allow", `!ssh.path.startsWith("/etc")`)}, policy.SSHSFTPRead, policy.SSHRequest{Path: "etc"}, "deny "},
		{[]policy.RuleSpec{when("allow", `!ssh.pty`)}, "sql.select", policy.SSHRequest{}, "deny "},
		{[]policy.RuleSpec{when("allow", `ssh.login == "deploy"`)}, policy.SSHX11, policy.SSHRequest{Login: "deploy"}, "allow a"},
		{[]policy.RuleSpec{when("allow", `ssh.env_name.matches("^LC_")`)}, policy.SSHEnv, policy.SSHRequest{Env: "LC_ALL"}, "allow a"},
		{[]policy.RuleSpec{when("allow", `ssh.env_name.startsWith("LC_")`)}, policy.SSHEnv, policy.SSHRequest{Env: "LC_A\x00"}, "deny "},
		{[]policy.RuleSpec{when("allow", `ssh.subsystem == "sftp"`)}, policy.SSHSFTP, policy.SSHRequest{}, "allow a"},
		{[]policy.RuleSpec{when("deny", `ssh.words.exists(w, w == "rm")`), any}, policy.SSHExec, policy.SSHRequest{Command: "a | b"}, "deny a"},
		{[]policy.RuleSpec{when("deny", `ssh.words.exists(w, w == "rm")`), any}, policy.SSHExec, policy.SSHRequest{Command: "a b"}, "allow b"},
		{[]policy.RuleSpec{when("deny", `"rm" in ssh.programs`), any}, policy.SSHExec, policy.SSHRequest{Command: "a | b"}, "allow b"},
		{[]policy.RuleSpec{when("deny", `"rm" in ssh.programs`), any}, policy.SSHExec, policy.SSHRequest{Command: "a | rm"}, "deny a"},
		{[]policy.RuleSpec{when("deny", `"rm" in ssh.programs`), any}, policy.SSHExec, policy.SSHRequest{Command: "a | $b"}, "deny a"},
		{[]policy.RuleSpec{when("allow", `!ssh.simple`), verbs("ssh.unknown")}, policy.SSHUnknown, policy.SSHRequest{}, "allow b"},
	} {
		if got := decide(compile(t, c.rules...), c.verb, c.q); got != c.want {
			t.Errorf("%s: %s %+v: %s, want %s", c.rules[0].When, c.verb, c.q, got, c.want)
		}
	}
}
