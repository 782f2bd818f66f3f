/*
 * json [PATH] < TEXT - is it JSON?  Prints what lies at PATH, e.g. batches.0.place; `#` at its end counts members.
 *
 * Exit code 0 when the text is JSON and PATH is there, 1 when nothing is at PATH, 2 when the text is not strict UTF-8 JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static json_t *step(json_t *at, const char *name)
{
    if (json_is_array(at))
        return json_array_get(at, strtoul(name, NULL, 10));
    return json_object_get(at, name);
}

static void print(json_t *at)
{
    if (json_is_string(at)) {
        fwrite(json_string_value(at), 1, json_string_length(at), stdout);
    } else {
        char *text = json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT);
        fputs(text ? text : "", stdout);
        free(text);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *at = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);
    json_t *root = at;
    if (!at) {
        fprintf(stderr, "not JSON: line %d, column %d: %s\n", error.line, error.column, error.text);
        return 2;
    }
    char *name = argc > 1 ? strtok(argv[1], ".") : NULL;
    for (; at && name && strcmp(name, "#") != 0; name = strtok(NULL, "."))
        at = step(at, name);
    if (at && name)
        printf("%zu\n", json_is_array(at) ? json_array_size(at) : json_object_size(at));
    else if (at && argc > 1)
        print(at);
    json_decref(root);
    return at ? 0 : 1;
}
