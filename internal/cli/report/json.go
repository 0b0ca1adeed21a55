package report

import (
	"bytes"
	"encoding/json"
)

// Object is a row as JSON: the report's columns by name and in order, with numbers as
// numbers and sizes in bytes.
type Object struct {
	keys   []string
	values []any
}

// MarshalJSON writes the columns in the order of the report.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Objects returns the rows collected so far as JSON objects, sorted like the report, and
// forgets them. Text, separators and headings have no effect.
func (r *Report[T]) Objects() []Object {
	r.sort()
	list := []Object{}
	for _, row := range r.rows {
		var o Object
		for _, c := range row.cells {
			if c.of.hidden {
				continue
			}
			o.keys = append(o.keys, c.of.field.ID)
			o.values = append(o.values, c.value.json)
		}
		list = append(list, o)
	}
	r.forget()
	return list
}
