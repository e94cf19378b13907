package model

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
)

// Encode turns a response, a pointer to a struct of this package, into what is sent: members with a place in the header are set in h, and
// either body or payload is not nil.
func Encode(response any, h http.Header) (body []byte, payload io.ReadCloser, err error) {
	v := reflect.ValueOf(response).Elem()
	for i := range v.NumField() {
		if name, ok := v.Type().Field(i).Tag.Lookup("header"); ok {
			if text := v.Field(i).String(); text != "" {
				h.Set(name, text)
			}
		}
		if p, ok := v.Field(i).Interface().(io.ReadCloser); ok {
			payload = p
		}
	}
	if payload != nil {
		return nil, payload, nil
	}
	body, err = json.Marshal(response)
	return body, nil, err
}
