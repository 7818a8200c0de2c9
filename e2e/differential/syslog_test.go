package differential

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// devLog is a shell script that runs its arguments where /dev/log is the socket devlog of the scenario.
const devLog = `set -e
mkdir -p $DIR/dev
mount -t tmpfs none $DIR/dev
for f in null zero random urandom; do
	: > $DIR/dev/$f
	mount --bind /dev/$f $DIR/dev/$f
done
ln -s /proc/self/fd $DIR/dev/fd
ln -s $DIR/devlog $DIR/dev/log
mount --rbind $DIR/dev /dev
exec "$@"
`

// The dates in a message: syslog(3)'s, and that of a line of the daemon's log.
var dates = regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`)

// syslog is a syslog daemon, which the daemon under test finds at /dev/log. It writes a line for each
// message, quoted, into the file messages.
func (w *world) syslog() {
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		w.t.Skipf("no /dev/log of its own without namespaces: %v: %s", err, out)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: w.dir + "/devlog", Net: "unixgram"})
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(w.dir, "messages"))
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with conn
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			fmt.Fprintf(file, "%q\n", dates.ReplaceAll(buf[:n], []byte("DATE")))
		}
	}()
	w.t.Cleanup(func() {
		conn.Close()
		<-done
		file.Close()
	})
	w.write(".devlog.sh", devLog)
	w.under = []string{"unshare", "-rm", "/bin/sh", w.dir + "/.devlog.sh"}
}
