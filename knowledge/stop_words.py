"""Words that say nothing about the subject of a question, by language."""

import re
from collections.abc import Sequence

# English first: it is taken where no other language has more of a question's words.
STOP_WORDS = tuple(
    frozenset(words.split())
    for words in (
        """a about am an and any are as at be been but by can could did do does for from had has
        have he her his how i if in into is it its me my no not of on or our she should so some
        than that the their them then there these they this to us was we were what when where
        which who whom whose why will with would you your please tell s don doesn didn isn""",
        """aber als am an auf aus bei bin bis bitte da dann das dass dem den der des die dies diese
        dieser doch du ein eine einem einen einer eines er es für gibt haben habe hat ich ihr ihre
        im in ist kann können könnt man mein meine meinem meinen meiner mich mir mit muss nach
        noch nur oder ohne sein sich sie sind so um und uns von vom war waren warum was welche
        welchem welchen welcher welches wann wem wen wenn wer werden wie wieso wird wo wofür woher
        wohin worden wurde wurden zu zum zur über""",
        """a al algo como con cual cuales cuando cuanta cuantas cuanto cuantos cuál cuáles cuándo
        cuánta cuántas cuánto cuántos cómo de del dónde donde el ella ellos en era es esta este esto
        está están fue fueron ha han hay la las le les lo los me mi mis más muy no nos o para pero
        por porque puede puedo que quien quienes quién quiénes qué se ser si sin son su sus sobre te
        tiene tu un una unas uno unos y ya yo""",
        """a ai as au aux avec avez c ce ces cet cette combien comment d dans de des dont du elle
        elles en est et faut il ils j je l la le les leur lui là ma mais me mes moi mon n ne nos
        notre nous on ont ou où par pas peut peux pour pourquoi puis qu quand que quel quelle
        quelles quels qui quoi s sa se ses si son sont sur t tu un une vos votre vous y à était""",
        """a ai al alla anche c che chi ci come con cosa cui da dal dalla dei del della delle di
        dove e ed era gli ha hanno ho i il in io l la le lo ma mi mia mie mio nel nella non o per
        perché più può posso quale quali quando quanta quante quanti quanto questa questo se si
        sono su sul sulla suo tra tu un una uno è""",
        """a ao aos as com como da das de do dos e ela ele em era eu foi há isso isto já mais mas me
        meu minha na nas no nos não o onde os ou para pela pelo por porque posso pode qual quais
        quando quanta quantas quanto quantos que quem se sem ser seu sua são também te tem um uma
        é à""",
        """aan al als bij daar dan dat de deze die dit een en er ga haar heb hebben heeft het hij
        hoe hoeveel ik in is je kan kunnen maar me met mij mijn moet na naar niet nog nu of om omdat
        onze ook op over te tot u uit van voor waar waarom wanneer waren wat welk welke wel werd wie
        wij wordt ze zich zijn zij zo""",
        """а без бы был была были было в вам вас во вот все вы где да для до его ее её если есть
        еще ещё же за и из или им их к как какая какие каким каких какой какое какую когда кто кого
        кому ли мне можно мой моя моё мои мы на не него нет но о об он она они от по почему при с
        сколько со так там то только ты у уже чего чем что чтобы чья это этот эта я""",
        """acaba ama ancak bana ben benim bir biri bu bunu da daha de diye en gibi hangi hangisi
        için ile ise kaç kadar ki kim kimin kime mi mı mu mü nasıl ne neden nedir nerede nereden
        nereye niçin niye o olan olarak olduğu sen siz şu var ve veya ya yok""",
        """bao bị bởi các cho có của do đã đang được gì hay hoặc khi không là làm lại lúc mà mấy
        một nào này nhiêu như những nơi ở phải ra rằng sao sẽ tại tôi thì thế trong từ và vào vì
        về với đâu đó đến để ai""",
    )
)
# Scripts without spaces have no words to leave out: these phrases are cut from their questions.
QUESTION_PHRASES = re.compile(
    "怎么办|怎么样|怎么|怎样|如何|为什么|为何|什么时候|什么|多少|多久|哪里|哪儿|哪个|哪些|哪一|谁|请问|是否"
    "|能不能|可不可以|吗|呢|ですか|ますか|でしょうか|ください|どうやって|どうすれば|どのように|どこ|なぜ|いつ"
    "|いくら|いくつ|何|誰|คืออะไร|อะไร|เท่าไหร่|เท่าไร|เท่าใด|อย่างไร|ที่ไหน|เมื่อไหร่|เมื่อใด|ใคร|หรือไม่|ไหม|ทำไม"
)


def stop_words(words: Sequence[str]) -> frozenset[str]:
    """The stop words of the language that most of a question's (folded) words belong to.

    >>> "die" in stop_words("wie kündige ich die karte".split())
    True
    >>> "die" in stop_words("when did the king die".split())
    False
    """
    return max(STOP_WORDS, key=lambda known: sum(word in known for word in words))


def without_question_phrases(text: str) -> str:
    """The text with spaces for what asks and says no subject, in scripts without spaces.

    >>> without_question_phrases("信用卡丢了怎么办")
    '信用卡丢了 '
    """
    return QUESTION_PHRASES.sub(" ", text)
