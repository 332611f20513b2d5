import sqlalchemy as sa
def test_db(database):
    with database.begin() as c: c.execute(sa.text("insert into workers select * from workers"))
    with database.read() as c: assert c.execute(sa.text("select count(*) from accounts")).scalar()==0
def test_col(columnar):
    assert columnar.value("select count() from events")==0
def test_col2(columnar):
    assert columnar.value("select count() from events")==0
