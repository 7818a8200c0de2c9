// Goclient uses a client library that others wrote, and prints what it gets, a line a call.
//
// usage: goclient unix://PATH|http://HOST:PORT USER PASSWORD CONFIGDIR
package main

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/abrander/go-supervisord"
)

func main() {
	url, user, password, conf := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	c := connect(url, user, password)

	show("version", firstOf(c.GetAPIVersion()), firstOf(c.GetIdentification()))
	version, err := c.GetSupervisorVersion()
	show("supervisor", strings.HasPrefix(version, "4."), err) // docs/differences.md, the row "version"
	show("state", firstOf(c.GetState()))
	running(c, "cat")
	running(c, "web:a")
	pid, err := c.GetPID()
	show("pid", pid > 1, err)

	all, err := c.GetAllProcessInfo()
	show("all", len(all), err)
	for _, p := range all {
		info(&p, nil)
	}
	info(c.GetProcessInfo("nosuch"))

	show("stop", c.StopProcess("cat", true), c.StopProcess("cat", true))
	show("start", c.StartProcess("cat", true), c.StartProcess("cat", true))
	show("start", c.StartProcess("nosuch", true), c.StartProcess("fatal", true), c.StartProcess("idle", false))
	results(c.StopProcessGroup("web", true))
	results(c.StartProcessGroup("web", true))
	results(c.StartProcessGroup("nosuch", true))
	show("signal", c.SignalProcess("cat", syscall.SIGURG), c.SignalProcess("nosuch", syscall.SIGURG), c.SignalProcess("cat", 99))
	results(c.SignalAllProcesses(syscall.SIGURG))

	show("stdin", c.SendProcessStdin("cat", "héllo <&> 中\n"), c.SendProcessStdin("fatal", "x"))
	for text := ""; !strings.HasSuffix(text, "\n"); time.Sleep(20 * time.Millisecond) {
		text = firstOf(c.ReadProcessStdoutLog("cat", 0, 0)).(string)
	}
	show("log", firstOf(c.ReadProcessStdoutLog("cat", 0, 0)), firstOf(c.ReadProcessStdoutLog("cat", -1, 1)), firstOf(c.ReadProcessStderrLog("cat", 0, 0)))
	show("clear", c.ClearProcessLogs("cat"), firstOf(c.ReadProcessStdoutLog("cat", 0, 0)))
	show("main log", firstOf(c.ReadLog(4, 1)), c.ClearLog())

	write(conf, "command=/bin/cat")
	show("update", c.Update())
	running(c, "new")
	write(conf, "command=/bin/cat -")
	show("update", c.Update())
	running(c, "new")
	show("remove", c.RemoveProcessGroup("nosuch"), c.AddProcessGroup("new"))
	check(os.Remove(conf + "/new.ini"))
	show("update", c.Update())
	info(c.GetProcessInfo("new"))
	added, changed, removed, err := c.ReloadConfig()
	show("reload", added, changed, removed, err)

	show("wrong password", firstOf(connect(url, user, "wrong").GetState()))
	results(c.StopAllProcesses(true))
	results(c.StartAllProcesses(true))
	show("restart", c.Restart())
	for again := false; !again; time.Sleep(20 * time.Millisecond) {
		c = connect(url, user, password)
		now, err := c.GetAllProcessInfo()
		again = err == nil && len(now) == len(all)
	}
	show("shutdown", c.Shutdown())
}

func connect(url, user, password string) *supervisord.Client {
	auth := supervisord.WithAuthentication(user, password)
	var c *supervisord.Client
	var err error
	if path, ok := strings.CutPrefix(url, "unix://"); ok {
		c, err = supervisord.NewUnixSocketClient(path, auth)
	} else {
		c, err = supervisord.NewClient(url+"/RPC2", auth)
	}
	check(err)
	return c
}

func write(conf, command string) {
	check(os.WriteFile(conf+"/new.ini", []byte("[program:new]\nstartsecs=0\nstopsignal=KILL\n"+command+"\n"), 0o644))
}

// running waits until a process is.
func running(c *supervisord.Client, name string) {
	for {
		p, err := c.GetProcessInfo(name)
		if err != nil || p.State == supervisord.StateRunning {
			info(p, err)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func show(what string, values ...any) {
	fmt.Printf("%s:", what)
	for _, v := range values {
		fmt.Printf(" %+q", fmt.Sprint(v))
	}
	fmt.Println()
}

// firstOf is a result, or the error in its place.
func firstOf[T any](v T, err error) any {
	if err != nil {
		return err
	}
	return v
}

func info(p *supervisord.ProcessInfo, err error) {
	if err != nil {
		show("info", err)
		return
	}
	show("info", p.Name, p.Group, p.Start > 0, p.Stop > 0, p.Now > 0, p.State, p.StateName, p.SpawnErr, p.ExitStatus, p.StdoutLogfile, p.StderrLogfile, p.Pid > 0)
}

// results are of calls on several processes. The library has no type for them, and who is ready first
// is chance.
func results(rs []supervisord.ProcessInfo, err error) {
	slices.SortFunc(rs, func(a, b supervisord.ProcessInfo) int { return strings.Compare(a.Group+a.Name, b.Group+b.Name) })
	show("results", len(rs), err)
	for _, r := range rs {
		show("result", r.Name, r.Group)
	}
}
