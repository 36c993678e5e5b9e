/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar.h - the one table of objects, commands and arguments.
 *
 * The table in grammar.c is the parser of swctl's words and of configuration
 * lines, the check of JSON-RPC parameters, the help at every level, the shell
 * completion and the synopsis in the manual pages.  A command is a list of
 * blocks, a block is a list of rows, a row is one argument; the options of a
 * port type are one block.
 *
 * Parameters are one JSON object.  Keys are the keywords in snake_case
 * ("mcast_flood"); on|off is a boolean, a number an integer, RATE an integer
 * in bit/s, SIZE an integer in bytes, everything else a string: a LIST as
 * given ("1,3-5"), a MAC in lower case, a mode in octal ("0660").  A `burst`
 * belongs to the rate before it: "rate_in_burst", "rate_out_burst".
 *
 * Life: static, read only.  Threads: any; nothing here keeps state.
 * Ownership: parameters returned belong to the caller (json_object_put).
 */
#ifndef CLI_GRAMMAR_H
#define CLI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;

enum {
	GRAMMAR_NAME_MAX = 31,	 /* characters in a name */
	GRAMMAR_WORDS_MAX = 128, /* words in a line */
	GRAMMAR_LINE_MAX = 4096, /* characters in a line */
	GRAMMAR_KEY_SIZE = 32,	 /* bytes for a key with its end */
};

enum grammar_kind {
	GRAMMAR_NAME,  /* 1..31 of [A-Za-z0-9._-], not "." or ".." */
	GRAMMAR_BOOL,  /* on|off */
	GRAMMAR_UINT,  /* min..max */
	GRAMMAR_WORD,  /* one of @value, separated by '|' */
	GRAMMAR_WORDS, /* any number of @value; a JSON array */
	GRAMMAR_FLAG,  /* no value typed; JSON @value, or true without one */
	GRAMMAR_TYPE,  /* a port type */
	GRAMMAR_MAC,   /* min 1: of one station, neither group nor zero */
	GRAMMAR_LIST,  /* 1,3-5 with numbers in min..max, or the default word */
	GRAMMAR_RATE,  /* tc(8)'s rates: 100mbit, 2gbit, 10mbps */
	GRAMMAR_SIZE,  /* bytes with k, m, g */
	GRAMMAR_OCTAL, /* permission bits, up to 0777 */
	GRAMMAR_PATH,  /* absolute, printable, up to max characters */
	GRAMMAR_SOCKET, /* that, or @ and an abstract name */
	GRAMMAR_TEXT,	/* printable, up to max characters */
	GRAMMAR_LINES,	/* any text up to max bytes */
};

/* One argument.  Its JSON key is @word in snake_case unless @key says else. */
struct grammar_arg {
	const char *word;
	enum grammar_kind kind;
	const char *value; /* alternatives, or the placeholder in the help */
	uint64_t min, max;
	const char *def; /* default as a word, NULL: none or computed */
	const char *help;
	const char *key;
	const char *follows; /* the keyword that it must come right after */
	bool positional;     /* its keyword may be left out in first place */
	bool required;
	bool set;   /* can be changed later */
	bool local; /* swctl's own affair, never sent */
	bool wire;  /* a JSON-RPC parameter that nobody types */
};

/* Arguments that belong together; with @type, to ports of that type alone. */
struct grammar_block {
	const char *type;
	const char *help;
	const struct grammar_arg *args; /* ends with a row without word */
};

struct grammar_object {
	const char *name;
	const char *help;
};

struct grammar_command {
	const char *object; /* "port" */
	const char *verb;   /* "add"; empty where the object is the command */
	const char *also;   /* other verbs accepted, separated by '|' */
	const char *method; /* "port.add"; NULL: done by swctl itself */
	const char *help;
	const struct grammar_block *const *blocks; /* ends with NULL */
	bool config;  /* may stand in a configuration file */
	bool creates; /* a key left out means its default */
	bool changes; /* takes only the options that can be changed later */
};

/* Both end with an entry without name or object; commands of one object are
 * adjacent and objects come in the same order in both. */
extern const struct grammar_object grammar_objects[];
extern const struct grammar_command grammar_commands[];

/* The place in a walk over a command's rows; starts zeroed. */
struct grammar_iter {
	size_t block, arg;
	const char *type; /* port type of the row returned, or NULL */
};

/* The next row of @cmd in table order, or NULL.  Any thread.  Skips what a
 * command that changes does not take. */
const struct grammar_arg *grammar_next(
    const struct grammar_command *cmd, struct grammar_iter *it);

/* The JSON key of @arg, written to @buf where it is not in the table. */
const char *grammar_key(
    const struct grammar_arg *arg, char buf[GRAMMAR_KEY_SIZE]);

/* The next port type in table order after @type (NULL: the first), or NULL. */
const struct grammar_block *grammar_type_next(const struct grammar_block *type);

/* The object that @word means: in full, or the first declared that begins
 * with it.  Any thread.  NULL: none, with a sentence. */
const struct grammar_object *grammar_find_object(
    const char *word, struct err *e);

/* The command that argv[0..argc), at least one word, begins with; *used is
 * how many words name it.  Any thread.  NULL: none, with a sentence. */
const struct grammar_command *grammar_find_command(
    int argc, char *const argv[], int *used, struct err *e);

/* Parses the words argv[0..argc): objects and commands by the first declared
 * prefix, keywords by a unique one.  Any thread.  On success *cmd is the
 * command (NULL for no words) and *params belongs to the caller.  Returns 0,
 * or -EINVAL with a sentence naming the word and its value. */
int grammar_parse(int argc, char *const argv[],
    const struct grammar_command **cmd, struct json_object **params,
    struct err *e);

/* The same for one line of text: words split at blanks, '...' and "..."
 * quoted, backslash takes the next character as it is, '#' at the start of a
 * word begins a comment.  *cmd is NULL for a line without words. */
int grammar_parse_line(const char *line, const struct grammar_command **cmd,
    struct json_object **params, struct err *e);

/* The command that JSON-RPC calls @method, or NULL.  Any thread. */
const struct grammar_command *grammar_by_method(const char *method);

/* Checks the parameters of a JSON-RPC request against the table: unknown key,
 * wrong type, out of range, missing.  Any thread; @params (NULL: none given)
 * stays the caller's.  Returns 0, or -EINVAL with a sentence. */
int grammar_check(const struct grammar_command *cmd, struct json_object *params,
    struct err *e);

/* Checks that every key of @params is an option of ports of @type: what
 * grammar_check() cannot know of a command that does not repeat the type.
 * Any thread.  Returns 0, or -EINVAL with a sentence. */
int grammar_check_type(const struct grammar_command *cmd, const char *type,
    struct json_object *params, struct err *e);

/* The words that reproduce @params: "port add vm1 type vhost-user queues 2".
 * Keys equal to the default are left out where @cmd creates, keys unknown to
 * the table always.  Any thread.  The caller frees; NULL: no memory. */
char *grammar_print(
    const struct grammar_command *cmd, struct json_object *params);

/* True where a command that changes takes @key ("mcast_flood") for an object
 * that @cmd creates. */
bool grammar_settable(const struct grammar_command *cmd, const char *key);

/* Adds to @params the default of every key that @cmd has for its type and
 * that is missing.  Any thread; @params stays the caller's. */
void grammar_fill(
    const struct grammar_command *cmd, struct json_object *params);

#endif
