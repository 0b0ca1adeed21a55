package ui

import "encoding/json"

// Document is the head of every JSON document: embed it first.
type Document struct {
	Schema string `json:"schema"` // "mdkit.<verb>/<version>", see docs/json.md
}

// Schema returns the head of a document of the given verb, version 1.
func Schema(verb string) Document { return Document{Schema: "mdkit." + verb + "/1"} }

// JSON writes doc to Out as one indented document. doc is a struct whose types
// never change within a schema version, with sizes as integers in bytes.
func (o IO) JSON(doc any) error {
	enc := json.NewEncoder(o.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// JSONLine writes doc to Out as one line, for streams of documents.
func (o IO) JSONLine(doc any) error {
	enc := json.NewEncoder(o.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}
