import json

from loadtests import fields
from loadtests.master import page


def test_the_style_goes_into_the_head_and_the_rest_stays():
    tidied = page.tidy("<html><head><title>Locust</title></head><body>x</body></html>")
    assert tidied.startswith("<html><head><title>Threadmill</title>")
    assert "<style>" in tidied.partition("</head>")[0]
    assert tidied.endswith("</head><body>x</body></html>")


def test_every_field_of_the_form_has_a_label_that_a_person_would_write_and_comes_in_an_order():
    on_form = [field.name for field in fields.with_target(["spst"], "spst") if field.on_form]
    camel = {name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:]) for name in on_form}
    assert camel <= page.LABELS.keys()
    assert json.dumps(page.LABELS) in page.tidy("<head></head>")
    assert page.FIELD_ORDER[0] == "target"
    assert {"spinUs", "hashUs"} <= set(page.FIELD_ORDER)
