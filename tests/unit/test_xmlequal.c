/* Our tokenizer against libxml2, and against itself byte by byte, on the corpus and on small documents. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>

#include "base/file.h"
#include "xmlequal.h"

static size_t compare(struct slice bytes, const char *what)
{
    struct told ours, authority;
    const char *differ = told_differ(bytes, &ours, &authority);

    if (differ)
        fprintf(stderr, "%s: %s\nours: %d %s %s\nlibxml2: %d %s %s\n", what, differ, ours.status, ours.code, ours.text, authority.status,
                authority.code, authority.text);
    assert_null(differ);
    size_t accepted = ours.status == END;
    told_release(&ours);
    told_release(&authority);
    return accepted;
}

static size_t folder(const char *path, size_t *accepted)
{
    struct arena a;
    struct problems ps;
    DIR *d = opendir(path);
    size_t n = 0;

    assert_non_null(d);
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct slice text;
        if (e->d_name[0] == '.' || file_read(&a, file_join(&a, path, e->d_name), 0, &text, &ps) != OK)
            continue;
        *accepted += compare(text, e->d_name);
        n++;
    }
    closedir(d);
    arena_release(&a);
    return n;
}

static void corpus(void **state)
{
    size_t accepted = 0;

    (void)state;
    assert_true(folder("tests/corpus/xml", &accepted) > 55);
    assert_true(accepted > 40);
    assert_true(folder("samples/ongoing24so/in", &accepted) > 3);
}

static void small_documents(void **state)
{
    static const char *const texts[] = {
        "<a/>", "<a></a>", "<a>x</a>\n", " <a/>", "\n<?xml version='1.0'?><a/>", "<?xml version='1.0'?><a/>", "<?xml version='1.0' ?><a/>",
        "<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?><a/>", "<?xml version=\"1.0\" standalone='maybe'?><a/>", "<?xml encoding='utf-8'?><a/>",
        "<?xml version='1.1'?><a/>", "<?xml version='2.0'?><a/>", "<?xmlx y?><a/>", "<?XML y?><a/>", "<a><?p?></a>", "<a><? p?></a>",
        "<a><!-- - --></a>", "<a><!-- -- --></a>", "<a><!-- --->", "<a/><!-- x --><?y z?>\r\n", "<a/>x", "<a/><b/>", "<a/>&#32;", "<a/><![CDATA[]]>",
        "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x41;&#x1F600;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#xFFFE;</a>", "<a>&x;</a>",
        "<a>&lt</a>", "<a>& </a>", "<a b='&lt;&#10;&amp;x'/>", "<a b='\t\r\n \n\r'/>", "<a b='<'/>", "<a b=c/>", "<a b/>", "<a b='1'c='2'/>",
        "<a b='1' b='2'/>", "<a x:b='1'/>", "<x:a/>", "<x:a xmlns:x='u'/>", "<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>", "<a xmlns:x=''/>",
        "<a xmlns='u'><b xmlns=''/></a>", "<a xmlns:xml='u'/>", "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'/>", "<a xml:lang='x'/>",
        "<a xmlns:xmlns='u'/>", "<a:b:c xmlns:a='u'/>", "<:a/>", "<a:/>", "<1a/>", "<-a/>", "<a.b-c_d/>", "<\xC3\xA4/>", "<a\xC2\xB7/>", "<\xC2\xB7/>",
        "<a>]]></a>", "<a>]]]]</a>", "<a>]]&gt;</a>", "<a><![CDATA[<&]]]]><![CDATA[>]]></a>", "<a><![CDATA[x\r\ny\rz]]></a>", "<a>x\r\ny\rz\n</a>",
        "<a><b></a></b>", "<a></b>", "</a>", "<a", "<a>", "<a><", "<a>x", "<a b='x", "<a></a", "", " ", "x", "<", "<!-- x -->", "<a><!x></a>", "<a><![CDATX[x]]></a>",
        "<!DOCTYPE a><a/>", "<!DOCTYPE a SYSTEM 'x'><a/>", "<!DOCTYPE a PUBLIC 'x' 'y'><a/>", "<!DOCTYPE a PUBLIC 'x'><a/>", "<!DOCTYPE a SYSTEM><a/>",
        "<!DOCTYPE a><!DOCTYPE a><a/>", "<a/><!DOCTYPE a>", "<a><!DOCTYPE a></a>", "<!DOCTYPE a []><a/>", "<!DOCTYPE a SYSTEM 'x' [<!ENTITY e 'x'>]><a>&e;</a>",
        "<a>\x01</a>", "<a>\xFF</a>", "<a>\xC3</a>", "<a>\xED\xA0\x80</a>", "<a>\xEF\xBF\xBE</a>", "<a>\xF4\x90\x80\x80</a>", "<a>\xC0\x80</a>", "<a b='\x02'/>",
        "\xEF\xBB\xBF<a/>", "\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?><a>\xC3\xA4</a>", "<?xml version='1.0' encoding='iso-8859-1'?><a b='\xE4'>\xE4\xF6</a>",
        "<?xml version='1.0' encoding='windows-1250'?><\xB3>\xB3\xF3</\xB3>", "<?xml version='1.0' encoding='us-ascii'?><a>x</a>",
        "<?xml version='1.0' encoding='us-ascii'?><a>\xE4</a>", "<?xml version='1.0' encoding='Shift_JIS'?><a>\x83\x41</a>", "<?xml version='1.0' encoding='none'?><a/>",
        "<a xmlns:a='u' xmlns:a='v'/>", "<a><b xmlns:p='u'><p:c/></b><p:d/></a>", "<a />", "<a\n/>", "<a / >", "< a/>", "<a></a >", "<a></ a>", "<a b = 'x' />",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        compare(slice_of(texts[i]), texts[i]);
}

/* A generated document in UTF-16 and UTF-32, which only libxml2 reads. */
static void wide(void **state)
{
    static const char text[] = "<a b='\xC3\xA4'>\xF0\x9F\x98\x80 &amp; x<c/>\xE2\x82\xAC</a>";
    struct buf b = { 0 };

    (void)state;
    for (int i = 0; i < 4; i++) {
        b.n = 0;
        if (i < 2)
            buf_add(&b, i ? SLICE("\xFE\xFF") : SLICE("\xFF\xFE"));
        else
            charset_encode(i & 1 ? CHARSET_UTF_16BE : CHARSET_UTF_16LE, SLICE("<?xml version='1.0'?>"), &b);
        assert_int_equal(charset_encode(i & 1 ? CHARSET_UTF_16BE : CHARSET_UTF_16LE, SLICE(text), &b), sizeof text - 1);
        assert_int_equal(compare(buf_slice(&b), "UTF-16"), 1);
        b.n--;
        assert_int_equal(compare(buf_slice(&b), "UTF-16 cut"), 0);
    }
    b.n = 0;
    for (const char *p = "<a>x</a>"; *p; p++)
        buf_add(&b, ((struct slice){ (const char[]){ 0, 0, 0, *p }, 4 }));
    assert_int_equal(compare(buf_slice(&b), "UTF-32"), 1);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(small_documents), cmocka_unit_test(wide), cmocka_unit_test(corpus) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
