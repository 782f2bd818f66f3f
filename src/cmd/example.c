#include "cmd/example.h"

static const char site_conf[] =
    "site \"Example: orders to a warehouse\"\n"
    "zone \"Europe/Oslo\"\n"
    "keep archive 2y\n"
    "\n"
    "# Countries as the shop writes them and as the warehouse wants them; the first line is the heading.\n"
    "table countries key Name {\n"
    "    Name     Code\n"
    "    Norway   NO\n"
    "    Sweden   SE\n"
    "    Denmark  DK\n"
    "}\n"
    "\n"
    "flow orders \"Orders to the warehouse\" {\n"
    "    on  yes\n"
    "    set owner \"EXAMPLE\"\n"
    "    operation convert {\n"
    "        take inbox  \"inbox/orders\" ready stable 2s\n"
    "        give outbox \"outbox/warehouse\" name \"orders_{batch}.xml\" map orders empty skip\n"
    "        give outbox \"outbox/log\"       name \"orders_{batch}.csv\" map log-orders report empty skip\n"
    "    }\n"
    "}\n";

static const char shop_orders[] =
    "# What the shop exports: one row per order line\n"
    "syntax csv delimiter \";\" header yes\n"
    "encoding utf-8\n"
    "default decimal mark \",.\"\n"
    "default date pattern \"dd.MM.yyyy\"\n"
    "\n"
    "message Order key OrderNo \"Order\" {\n"
    "    OrderNo  text required\n"
    "    Date     date required at \"Order date\"\n"
    "    Customer text required\n"
    "    Country  text\n"
    "    group Line 1..* key LineNo {\n"
    "        LineNo   integer required at \"Line\"\n"
    "        Article  text    required\n"
    "        Quantity decimal required\n"
    "    }\n"
    "}\n";

static const char warehouse_orders[] =
    "# What the warehouse reads\n"
    "syntax xml indent \"  \"\n"
    "encoding utf-8\n"
    "\n"
    "Owner text at /Orders/@owner\n"
    "\n"
    "message Order at /Orders/Order key Number {\n"
    "    Number  text required at @number\n"
    "    Ordered date required\n"
    "    group Receiver 1 {\n"
    "        Name    text required\n"
    "        Country text\n"
    "    }\n"
    "    group Row 1..* at Rows/Row key Line {\n"
    "        Line     integer required at @line\n"
    "        Article  text    required\n"
    "        Quantity decimal required\n"
    "    }\n"
    "}\n";

static const char log_format[] =
    "syntax csv delimiter \";\" header yes\n"
    "encoding utf-8\n"
    "\n"
    "message Entry {\n"
    "    Order  text\n"
    "    Result text\n"
    "    Text   text\n"
    "}\n";

static const char orders_map[] =
    "mapping shop-orders <=> warehouse-orders \"Orders\"\n"
    "\n"
    "param owner text required        \"The name under which the warehouse knows us\"\n"
    "table countries key Name columns Code\n"
    "\n"
    "$owner => /Owner\n"
    "\n"
    "Order <=> Order {\n"
    "    require not(Country) or exists($countries[Country]) else NO_COUNTRY \"no code for the country {Country}\"\n"
    "    require Line[Quantity > 0]                          else skip NOTHING \"no line has a quantity\"\n"
    "\n"
    "    key OrderNo              <=> Number\n"
    "    Date                     <=> Ordered\n"
    "    Customer                 <=> Receiver/Name\n"
    "    $countries[Country]/Code <=> Receiver/Country\n"
    "    Line <=> Row {\n"
    "        key LineNo <=> Line\n"
    "        Article    <=> Article\n"
    "        Quantity   <=> Quantity\n"
    "    }\n"
    "}\n";

static const char log_map[] =
    "mapping shop-orders => log \"What became of the orders\"\n"
    "\n"
    "$outcome/Problem[Text] => Entry {\n"
    "    ../../OrderNo => Order\n"
    "    Outcome       => Result\n"
    "    Text          => Text\n"
    "}\n";

static const char sample[] =
    "OrderNo;Order date;Customer;Country;Line;Article;Quantity\n"
    "4711;21.11.2026;Bergen Bokhandel;Norway;1;K-100;12\n"
    "4711;21.11.2026;Bergen Bokhandel;Norway;2;K-200;2,5\n"
    "4712;21.11.2026;Malm\xC3\xB6 Lampor;Sweden;1;L-7;3\n"
    "4713;22.11.2026;Atlantis Trading;Atlantis;1;K-100;1\n"
    "4714;22.11.2026;Oslo Kaffe;Norway;1;K-100;12x\n";

static const char readme[] =
    "# A waybill site\n"
    "\n"
    "    cp samples/orders.csv inbox/orders/\n"
    "    waybill run .            # everything that lies in the inboxes, once\n"
    "    waybill watch .          # or for ever, as files arrive\n"
    "    waybill status .         # where the batches stand\n"
    "    waybill show BATCH       # all that is known of one\n"
    "\n"
    "`site.conf` names the flow. `mappings/orders.map` says which field is which, `mappings/*.format` how both sides are\n"
    "spelled. Of the four orders in the sample two are delivered to `outbox/warehouse`; 4713 is refused because its country\n"
    "has no code, 4714 because `12x` is no number. Both are in `error/`, as CSV, ready to be mended and dropped again;\n"
    "`outbox/log` tells why. The batch itself ends in `archive/` as a zip with its waybill.\n"
    "\n"
    "    waybill check .                      # after a change: all errors at once\n"
    "    waybill describe mappings/orders.map # the field table for the partner\n"
    "\n"
    "Change the title of a column in `mappings/shop-orders.format`, drop a sample that differs a little (the same bytes once\n"
    "more are a duplicate and refused as that), and see what is said:\n"
    "\n"
    "    sed 's/471/481/' samples/orders.csv > inbox/orders/again.csv && waybill run .\n";

const struct example_file example_files[] = {
    { "site.conf", site_conf },
    { "mappings/shop-orders.format", shop_orders },
    { "mappings/warehouse-orders.format", warehouse_orders },
    { "mappings/log.format", log_format },
    { "mappings/orders.map", orders_map },
    { "mappings/log-orders.map", log_map },
    { "samples/orders.csv", sample },
    { "README.md", readme },
};

const size_t example_count = sizeof example_files / sizeof *example_files;
