package web

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "draw the images of static/images anew")

var (
	clear = color.NRGBA{}
	teal  = color.NRGBA{0x0f, 0x6b, 0x76, 0xff}
	white = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	grey  = color.NRGBA{0x8a, 0x94, 0xa1, 0xff}
	green = color.NRGBA{0x1f, 0x9d, 0x57, 0xff}
	amber = color.NRGBA{0xd9, 0x8e, 0x04, 0xff}
	red   = color.NRGBA{0xc6, 0x2b, 0x2b, 0xff}
)

// draw makes a square picture whose pixels have the palette's colours that at says.
func draw(size int, palette color.Palette, at func(x, y int) int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, size, size), palette)
	for y := range size {
		for x := range size {
			m.SetColorIndex(x, y, uint8(at(x, y)))
		}
	}
	return m
}

// mark is ours: two posts and the beam that holds them, as an H.
func mark(size int) *image.Paletted {
	return draw(size, color.Palette{clear, teal, white}, func(x, y int) int {
		x, y = x*32/size, y*32/size
		edge := func(v int) int { return max(5-v, v-26, 0) } // how far into a rounded corner
		switch dx, dy := edge(x), edge(y); {
		case dx*dx+dy*dy > 27:
			return 0
		case y >= 8 && y < 24 && (x >= 9 && x < 13 || x >= 19 && x < 23), y >= 14 && y < 18 && x >= 5 && x < 27:
			return 2
		}
		return 1
	})
}

func lamp(c color.Color) *image.Paletted {
	return draw(16, color.Palette{clear, c}, func(x, y int) int {
		x, y = 2*x-15, 2*y-15
		if x*x+y*y > 13*13 {
			return 0
		}
		return 1
	})
}

// The images are what this file draws; -rewrite draws them.
func TestImages(t *testing.T) {
	for name, want := range map[string]*image.Paletted{
		"icon.png":       mark(64),
		"supervisor.gif": mark(48),
		"rule.gif":       draw(1, color.Palette{grey}, func(int, int) int { return 0 }),
		"state0.gif":     lamp(grey),
		"state1.gif":     lamp(green),
		"state2.gif":     lamp(amber),
		"state3.gif":     lamp(red),
	} {
		if *rewrite {
			var b bytes.Buffer
			encode := func() error { return gif.Encode(&b, want, nil) }
			if name == "icon.png" {
				encode = func() error { return png.Encode(&b, want) }
			}
			if err := encode(); err != nil {
				t.Fatal(err)
			}
			write(t, "static/images/"+name, b.String())
			if err := os.Chmod("static/images/"+name, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile("static/images/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := image.Decode(bytes.NewReader(data))
		if err != nil || got.Bounds() != want.Bounds() {
			t.Fatalf("%s: %v, error %v", name, got, err)
		}
		for y := range want.Rect.Dy() {
			for x := range want.Rect.Dx() {
				r1, g1, b1, a1 := got.At(x, y).RGBA()
				r2, g2, b2, a2 := want.At(x, y).RGBA()
				if r1 != r2 || g1 != g2 || b1 != b2 || a1 != a2 {
					t.Fatalf("%s is not as it is drawn: run with -rewrite", name)
				}
			}
		}
	}
}
