#!/usr/bin/env python3
"""consolidation.py N DIR - N open invoices and N orders that merge into them: the input of W8

Two invoices for each ship-to number, of one day each; the orders go to these ship-to numbers and to a few others, on these
days. The same N always gives the same files: invoices.jsonl and orders.jsonl as mappings/necs has them, orders.csv as the
web shop writes them, case.conf.
"""
import json
import os
import random
import sys

CSV_HEAD = ("Source,OrderNo,ShipTo,DeliveryDate,PONumber,Comment,PrintOnLSOnly,OrderGiver,Salesperson,Route,Line,Item,Type,ReturnCode,"
            "Quantity,Unit,Price,UserPrice,Desc1,Desc2,Desc3,Desc4,SourceLineID,Cut,PriceRequest,DescModified")


def lines(r, least, most, numbered):
    for n in range(r.randint(least, most)):
        no = '"No":%d,' % (n + 1) if numbered else ""
        yield '{%s"Item":"%d","Type":"D","Quantity":%d,"Unit":"CS","Price":%d.50,"UserPrice":false}' % (
            no, 10000 + r.randrange(2000), r.randint(1, 19), r.randint(5, 49))


def write_csv(out):
    """The orders as a web shop's file."""
    with open(out + "/orders.jsonl") as f, open(out + "/orders.csv", "w", newline="") as csv:
        csv.write(CSV_HEAD + "\r\n")
        for text in f:
            o = json.loads(text)
            head = f'{o["Source"]},{o["OrderNo"]},{o["ShipTo"]},{o["DeliveryDate"][5:7]}/{o["DeliveryDate"][8:]}/2024,,,N,Ana,07,'
            for l in o["Line"]:
                csv.write(f'{head},{l["No"]},{l["Item"]},D,,{l["Quantity"]},CS,{l["Price"]:.2f},N,,,,,,,,N\r\n')


def main():
    n, out = int(sys.argv[1]), sys.argv[2]
    r = random.Random(8)
    os.makedirs(out, exist_ok=True)
    with open(out + "/invoices.jsonl", "w") as f:
        for i in range(n):
            f.write('{"InvoiceNo":%d,"Created":%d,"ShipTo":"C%d","DeliveryDate":"2024-03-%02d","Canceled":false,"CreditHold":"none",'
                    '"Printed":%s,"PONumber":"Verbal","OrderGiver":"Ana","Salesperson":"07","Line":[%s]}\n'
                    % (100000 + i, i, i // 2, 1 + i % 2, "true" if i % 10 == 0 else "false", ",".join(lines(r, 2, 7, False))))
    with open(out + "/orders.jsonl", "w") as f:
        for i in range(n):
            f.write('{"Source":"NET","OrderNo":"N-%d","ShipTo":"C%d","DeliveryDate":"2024-03-%02d","OrderGiver":"Ana","Salesperson":"07",'
                    '"Line":[%s]}\n' % (i, r.randrange(n // 2 + n // 20), 1 + r.randrange(2), ",".join(lines(r, 1, 5, True))))
    write_csv(out)
    with open(out + "/case.conf", "w") as f:
        f.write("table settings {\n    Source Enable AllowPrinted PoMode ItemMode PriceConflict CreditMode AssignSalesperson AddonOnly "
                "AllowCredits\n    all yes no match merge keep_both merge no no yes\n}\ntable imported of batch\n"
                "sequence invoice-number from 900000\nsequence invoice-created from 900000\n")


if __name__ == "__main__":
    main()
