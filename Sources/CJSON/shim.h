#ifndef FORK_CJSON_SHIM_H
#define FORK_CJSON_SHIM_H

#include <string.h>

#include <json-c/json.h>

// json-c offers iteration over an object's members as macros, which Swift does not import.
// All of these only read.

static inline const struct lh_entry *forkjson_first_entry(const struct json_object *object)
{
    return json_object_get_object(object)->head;
}

static inline const struct lh_entry *forkjson_next_entry(const struct lh_entry *entry)
{
    return entry->next;
}

static inline const char *forkjson_entry_key(const struct lh_entry *entry)
{
    return (const char *)entry->k;
}

static inline size_t forkjson_entry_key_length(const struct lh_entry *entry)
{
    return strlen((const char *)entry->k);
}

static inline struct json_object *forkjson_entry_value(const struct lh_entry *entry)
{
    return (struct json_object *)entry->v;
}

// A number that was parsed as a double keeps its source text as its "user data".
static inline const char *forkjson_double_source(struct json_object *number)
{
    return (const char *)json_object_get_userdata(number);
}

#endif
