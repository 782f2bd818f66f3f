#include "base/code.h"

#include <strings.h>

#include "base/problem.h"

#define CODE(name, title, text) { (name), (title), (text) },

const struct code_entry code_table[] = {
#include "base/codes/base.def"
#include "base/codes/conf.def"
#include "base/codes/format.def"
#include "base/codes/csv.def"
#include "base/codes/xml.def"
#include "base/codes/json.def"
#include "base/codes/syntax.def"
#include "base/codes/mapping.def"
#include "base/codes/store.def"
#include "base/codes/drop.def"
#include "base/codes/batch.def"
#include "base/codes/flow.def"
#include "base/codes/author.def"
#include "base/codes/cmd.def"
#include "base/codes/care.def"
};

const size_t code_count = sizeof code_table / sizeof *code_table;

const struct code_entry *code_find(struct slice name)
{
    for (size_t i = 0; i < code_count; i++) {
        if (strlen(code_table[i].name) == name.n && strncasecmp(code_table[i].name, name.p, name.n) == 0)
            return &code_table[i];
    }
    return NULL;
}

struct slice code_suggest(struct arena *a, struct slice name)
{
    struct slice *names = arena_alloc(a, code_count * sizeof *names);
    for (size_t i = 0; i < code_count; i++)
        names[i] = slice_of(code_table[i].name);
    return problem_suggest(a, name, names, code_count);
}
