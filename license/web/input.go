package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"goldfish/license/fault"
)

// The codes of input that no rule has looked at yet.
const (
	codeBodyMissing  = "body_missing"
	codeBodyLarge    = "body_too_large"
	codeBodyBroken   = "body_unreadable"
	codeContentType  = "content_type"
	codeEncoding     = "content_encoding"
	codeMalformed    = "json_malformed"
	codeDuplicate    = "duplicate_field"
	codeUnknownField = "unknown_field"
	codeUnknownParam = "unknown_parameter"
	codeType         = "wrong_type"
	codeRequired     = "value_required"
	codeRange        = "value_range"
	codeLength       = "value_length"
	codePattern      = "value_pattern"
	codeUnknownValue = "value_unknown"
	codeInvalid      = "value_invalid"
)

// init tells huma to speak in codes. Its texts, its error type and its taste in JSON are variables of its packages, and
// this is the one package of the house that uses it to judge input.
func init() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return problemOf(inputFault(status, msg, errs), Chinese)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		c := callOf(ctx.Context())
		err := inputFault(status, msg, errs)
		c.cause = err
		p := problemOf(err, c.Lang)
		p.headers(c.out.Header())
		return p
	}
	for code, messages := range map[string][]*string{
		codeUnknownField: {&validation.MsgUnexpectedProperty},
		codeType: {
			&validation.MsgExpectedBoolean, &validation.MsgExpectedNumber, &validation.MsgExpectedInteger,
			&validation.MsgExpectedString, &validation.MsgExpectedArray, &validation.MsgExpectedObject,
		},
		codeRequired + " %s":     {&validation.MsgExpectedRequiredProperty},
		codeUnknownValue + " %s": {&validation.MsgExpectedOneOf},
		codePattern: {
			&validation.MsgExpectedRFC3339DateTime, &validation.MsgExpectedRFC3339Date, &validation.MsgExpectedRFC3339Time,
			&validation.MsgExpectedBase64String,
		},
		codePattern + " %v": {
			&validation.MsgExpectedBePattern, &validation.MsgExpectedMatchPattern, &validation.MsgExpectedRFC4122UUID,
			&validation.MsgExpectedRFC5322Email,
		},
		codeRange + " least %v":  {&validation.MsgExpectedMinimumNumber, &validation.MsgExpectedMinItems, &validation.MsgExpectedMinProperties},
		codeRange + " most %v":   {&validation.MsgExpectedMaximumNumber, &validation.MsgExpectedMaxItems, &validation.MsgExpectedMaxProperties},
		codeLength + " least %v": {&validation.MsgExpectedMinLength},
		codeLength + " most %v":  {&validation.MsgExpectedMaxLength},
	} {
		for _, m := range messages {
			*m = code
		}
	}
}

// spoken are the texts of huma that are no variables.
var spoken = map[string]string{
	"unknown query parameter": codeUnknownParam,
	"invalid integer":         codeType,
	"invalid boolean":         codeType,
	"invalid float":           codeType,
}

const faultsMost = 20

// inputFault is the fault that huma's words mean: the first of the faults of the input, by the order of their fields,
// with all of them beside it if there are several.
func inputFault(status int, msg string, errs []error) error {
	if status >= http.StatusInternalServerError {
		return fault.New(fault.Internal, fault.CodeInternal).Because(faultText(msg))
	}
	var all faults
	for _, err := range errs {
		if f, ok := err.(*fault.Error); ok {
			all = append(all, f)
		} else if d, ok := err.(huma.ErrorDetailer); ok && d.ErrorDetail() != nil {
			all = append(all, detailFault(d.ErrorDetail()))
		}
	}
	if len(all) == 0 {
		return fault.New(fault.Invalid, codeInvalid)
	}
	slices.SortStableFunc(all, func(a, b *fault.Error) int { return cmp.Compare(a.Field, b.Field) })
	all = all[:min(len(all), faultsMost)]
	if len(all) == 1 {
		return all[0]
	}
	return all[0].Because(all)
}

type faultText string

func (s faultText) Error() string { return string(s) }

// detailFault reads one of huma's details, whose message is a code with an argument where it was made of ours, and whose
// value is never looked at.
func detailFault(d *huma.ErrorDetail) *fault.Error {
	field := fieldAt(d.Location)
	code, rest, _ := strings.Cut(d.Message, " ")
	name, value, _ := strings.Cut(rest, " ")
	switch code {
	case codeRequired:
		return fault.New(fault.Invalid, code).In(join(field, rest))
	case codeDuplicate:
		return fault.New(fault.Invalid, code).In(rest)
	case codeRange, codeLength:
		return fault.New(fault.Invalid, code).In(field).With(name, plainNumber(value))
	case codeType:
		return fault.New(fault.Invalid, code).In(join(field, rest))
	case codeUnknownField, codeUnknownValue, codePattern, codeMalformed:
		return fault.New(fault.Invalid, code).In(field)
	}
	if strings.HasPrefix(d.Message, "required ") {
		return fault.New(fault.Invalid, codeRequired).In(field)
	}
	if code, ok := spoken[d.Message]; ok {
		return fault.New(fault.Invalid, code).In(field)
	}
	return fault.New(fault.Invalid, codeInvalid).In(field)
}

// plainNumber writes a bound as people do: huma prints large ones with an exponent.
func plainNumber(s string) string {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return s
}

// fieldAt turns huma's location (body.ids[3], query.limit, header.Idempotency-Key) into the caller's name for it.
func fieldAt(location string) string {
	for _, place := range []string{"body", "query", "path", "header", "cookie"} {
		if location == place {
			return ""
		}
		if rest, ok := strings.CutPrefix(location, place+"."); ok {
			return cutField(rest)
		}
	}
	return cutField(location)
}

func join(parent, name string) string {
	if parent == "" || name == "" {
		return parent + name
	}
	return parent + "." + name
}

const fieldMost = 100 // bytes of a name that the caller made up

// cutField keeps of such a name what can be shown: no control characters, nothing that turns the line around.
func cutField(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	for len(s) > fieldMost {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
