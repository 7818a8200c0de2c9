package rpc

import (
	"maps"
	"slices"
	"strings"

	"holdfast/internal/xmlrpc"
)

const multicallName = "system.multicall"

// systemMethods tell of the others. They answer in every mood.
var systemMethods = []method{
	{name: "listMethods", returns: "array", anyMood: true, help: "The names of all methods.", do: listMethods},
	{name: "methodHelp", returns: "string", params: []param{methodParam}, anyMood: true, help: "What a method does.", do: methodHelp},
	{name: "methodSignature", returns: "array", params: []param{methodParam}, anyMood: true,
		help: "The types that a method returns and takes: [result, parameters...].", do: methodSignature},
	{name: "multicall", returns: "array", params: []param{callsParam}, anyMood: true,
		help: "Make several calls, one after the other. Each is a struct of methodName and params; each result is what the method returns, or a struct of faultCode and faultString.",
		do:   multicall},
}

func listMethods(c *call) (any, error) {
	return slices.Sorted(maps.Keys(c.methods)), nil
}

func methodHelp(c *call) (any, error) {
	m := c.methods[c.text(0)]
	if m == nil {
		return nil, fault(signatureUnsupported, "")
	}
	var b strings.Builder
	b.WriteString(m.help + "\n\n")
	for _, p := range m.params {
		b.WriteString("@param " + p.typ + " " + p.name + "\n")
	}
	b.WriteString("@return " + m.returns + "\n")
	return b.String(), nil
}

func methodSignature(c *call) (any, error) {
	m := c.methods[c.text(0)]
	if m == nil {
		return nil, fault(signatureUnsupported, "")
	}
	types := []any{m.returns}
	for _, p := range m.params {
		types = append(types, p.typ)
	}
	return types, nil
}

// multicall goes no further when the client has gone, as the original: nobody would hear of it.
func multicall(c *call) (any, error) {
	results := []any{}
	for _, v := range c.args[0].([]any) {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		value, err := one(c, v)
		if err != nil {
			f := toFault(err)
			value = xmlrpc.Struct{{Name: "faultCode", Value: f.Code}, {Name: "faultString", Value: f.String}}
		}
		results = append(results, value)
	}
	return results, nil
}

// one makes one call of a multicall.
func one(c *call, v any) (any, error) {
	s, ok := v.(xmlrpc.Struct)
	if !ok {
		return nil, wrongType("call", "a struct")
	}
	name, ok := s.Get("methodName").(string)
	if !ok {
		return nil, fault(incorrectParameters, "No methodName")
	}
	if name == multicallName {
		return nil, fault(incorrectParameters, "Recursive system.multicall forbidden")
	}
	params, ok := s.Get("params").([]any)
	if !ok && s.Get("params") != nil {
		return nil, wrongType("params", "an array")
	}
	return c.invoke(c.ctx, name, params)
}
