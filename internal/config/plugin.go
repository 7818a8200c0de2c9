package config

import "strings"

const (
	factoryOption = "supervisor.rpcinterface_factory"
	stockFactory  = "supervisor.rpcinterface:make_main_rpcinterface"

	ctlFactoryOption = "supervisor.ctl_factory"

	pluginCure = "Python plugins can't be loaded here; remove the section"
)

// readRPCInterfaces reads the [rpcinterface:x] sections. The stock one is known by its name, under
// any namespace.
//
// Differs: there are no others. They are Python.
func (r *reader) readRPCInterfaces() {
	for _, sec := range r.file.Sections {
		name, ok := strings.CutPrefix(sec.Name, "rpcinterface:")
		if !ok {
			continue
		}
		s := r.section(sec)
		if !s.has(factoryOption) {
			s.fail(factoryOption, "", "section ["+sec.Name+"] does not specify a "+factoryOption,
				"add a line "+factoryOption+" = "+stockFactory)
			continue
		}
		factory, ok := s.text(factoryOption, "", true, "", false)
		if !ok {
			continue
		}
		if factory != stockFactory {
			s.fail(factoryOption, factory, factory+" cannot be resolved within ["+sec.Name+"]", pluginCure)
			continue
		}
		// The stock one takes no options, those of [DEFAULT] included.
		for _, key := range sec.Keys() {
			if key != factoryOption {
				value, _ := s.text(key, "", true, "", false)
				s.fail(key, value, "Could not make "+name+" rpc interface", "remove the option")
			}
		}
		r.cfg.RPCInterfaces = append(r.cfg.RPCInterfaces, RPCInterface{Name: name, Factory: factory, Options: map[string]string{}})
	}
}
