package supervisor

import (
	"context"
	"testing"
	"testing/synctest"

	"holdfast/internal/config"
)

// cutShort is a land whose reload commands end with the daemon.
type cutShort struct{ *land }

func (cutShort) Reload(context.Context, *config.Process, int) error { return context.Canceled }

func TestAReloadThatIsCutShortSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, over := settled(t, []config.Process{{Name: "web", AutoStart: true, Hooks: config.Hooks{Reload: "x"}}})
		l.sup.Hands = cutShort{l}
		err := l.sup.ReloadProcess(t.Context(), "web")
		const want = "failed: web: reload_command: it was ended with this daemon, and may have done a part of it"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
		l.sup.SetMood(MoodShutdown)
		<-over
	})
}
