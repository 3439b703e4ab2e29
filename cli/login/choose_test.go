package login

import (
	"testing"

	"golang.org/x/oauth2"
	"rsc.io/qr"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestWhereABrowserCanOpen(t *testing.T) {
	for _, c := range []struct {
		goos string
		env  map[string]string
		want bool
	}{
		{"linux", nil, false},
		{"linux", map[string]string{"DISPLAY": ":0"}, true},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true},
		{"linux", map[string]string{"WSL_DISTRO_NAME": "Debian"}, true},
		{"linux", map[string]string{"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a b c d"}, false},
		{"darwin", nil, true},
		{"darwin", map[string]string{"SSH_TTY": "/dev/ttys001"}, false},
		{"windows", nil, true},
	} {
		if got := canOpenBrowser(c.goos, env(c.env)); got != c.want {
			t.Errorf("%s %v: %v, want %v", c.goos, c.env, got, c.want)
		}
	}
}

func TestAutoTakesTheDeviceFlowWithoutABrowser(t *testing.T) {
	p := &Provider{oauth: oauth2.Config{Endpoint: oauth2.Endpoint{DeviceAuthURL: "https://issuer.example/device"}}}
	display := env(map[string]string{"DISPLAY": ":0"})
	for _, c := range []struct {
		name string
		o    Options
		want Method
	}{
		{"headless", Options{Getenv: env(map[string]string{"SSH_TTY": "x"})}, Device},
		{"--no-browser", Options{NoBrowser: true, Getenv: display}, Device},
		{"--browser", Options{Method: Loopback, Getenv: env(nil)}, Loopback},
		{"--device", Options{Method: Device, Getenv: display}, Device},
	} {
		if got := p.choose(c.o); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	p.oauth.Endpoint.DeviceAuthURL = ""
	if got := p.choose(Options{Getenv: env(map[string]string{"SSH_TTY": "x"})}); got != Loopback {
		t.Errorf("issuer without device flow: %d, want Loopback", got)
	}
}

// The drawing, read back module by module, is the code.
func TestQRCodeIsDrawnFaithfully(t *testing.T) {
	const text = "http://127.0.0.1:40000/device?user_code=BCDF-GHJK"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	light := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}
	x, y := -quietZone, -quietZone
	for _, r := range qrCode(text, 200, false) {
		if r == '\n' {
			if x != code.Size+quietZone {
				t.Fatalf("line %d ends at %d", y, x)
			}
			x, y = -quietZone, y+2
			continue
		}
		for half, isLight := range light[r] {
			if y+half < code.Size+quietZone && isLight == code.Black(x, y+half) {
				t.Fatalf("module %d,%d is wrong", x, y+half)
			}
		}
		x++
	}
	if y < code.Size+quietZone {
		t.Errorf("the drawing ends at row %d of %d", y, code.Size)
	}
	if qrCode(text, code.Size+2*quietZone-1, false) != "" {
		t.Error("drawn on a terminal that is too narrow")
	}
}

func TestForeignDeviceAnswersAreTidied(t *testing.T) {
	good := oauth2.DeviceAuthResponse{DeviceCode: "d", UserCode: "AB\x1b[2JCD", VerificationURI: "https://i.example/d", Interval: -7}
	g := good
	if err := tidy(&g); err != nil || g.UserCode != "AB[2JCD" || g.Interval != 1 || g.Expiry.IsZero() {
		t.Errorf("%+v, %v", g, err)
	}
	for name, spoil := range map[string]func(*oauth2.DeviceAuthResponse){
		"no code":      func(g *oauth2.DeviceAuthResponse) { g.UserCode = "" },
		"no address":   func(g *oauth2.DeviceAuthResponse) { g.VerificationURI = "" },
		"script":       func(g *oauth2.DeviceAuthResponse) { g.VerificationURI = "javascript:alert(1)" },
		"file":         func(g *oauth2.DeviceAuthResponse) { g.VerificationURIComplete = "file:///etc/passwd" },
		"control code": func(g *oauth2.DeviceAuthResponse) { g.VerificationURI = "https://i.example/\x1b[2J" },
	} {
		g := good
		spoil(&g)
		if err := tidy(&g); err == nil {
			t.Errorf("%s was accepted: %+v", name, g)
		}
	}
}
