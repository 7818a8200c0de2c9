package config

// An option is one row of a section's table: what may stand in the section, what holds if it does
// not, and where the value goes. T is what the section is read into.
type option[T any] struct {
	name   string
	preset string // the default as one would write it
	unset  bool   // there is no default: the field stays as it is
	cure   string
	label  string // how errors of the expansion call the option, if not by section and name
	twice  bool   // the value is expanded once more, under its bare name

	// read gives what lays the value into a T.
	read func(h *host, text string) (assign func(*T), err error)
}

// opt is the row of an option with a default.
func opt[T, V any](name, preset string, d datatype[V], field func(*T) *V) option[T] {
	return option[T]{
		name: name, preset: preset, cure: d.cure,
		read: func(h *host, text string) (func(*T), error) {
			v, err := d.parse(h, text)
			return func(t *T) { *field(t) = v }, err
		},
	}
}

// noPreset is the row of an option without a default.
func noPreset[T, V any](name string, d datatype[V], field func(*T) *V) option[T] {
	o := opt(name, "", d, field)
	o.unset = true
	return o
}

func (o option[T]) cured(text string) option[T]    { o.cure = text; return o }
func (o option[T]) labelled(text string) option[T] { o.label = text; return o }
func (o option[T]) expandedTwice() option[T]       { o.twice = true; return o }
